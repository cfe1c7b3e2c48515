/** @file Upsample and the first Resize in today's terms. */

import { string, stringOf } from '../attributes.ts';
import type { OpsetChange } from '../normalize.ts';

/** Upsample 9: scales became an input. */
export const upsampleScales: OpsetChange = (node, { floats }) => {
  const scales = node.attributes['scales'];
  if (scales?.type === 'floats') {
    node.inputs[1] = floats(node, 'scales', [scales.value.length], scales.value, undefined);
    delete node.attributes['scales'];
  }
  return undefined;
};

/** Upsample became Resize at 10. */
export const upsampleToResize: OpsetChange = (node) => {
  node.op = 'Resize';
  return undefined;
};

/** Resize 11: what version 10 did is now called asymmetric, with floor for nearest. */
export const resize10: OpsetChange = (node, { floats }) => {
  const none = floats(node, 'roi', [0], [], undefined);
  node.inputs = [node.inputs[0], none, node.inputs[1]];
  node.attributes['coordinate_transformation_mode'] = string('asymmetric');
  if (stringOf(node, 'mode', 'nearest') === 'nearest')
    node.attributes['nearest_mode'] = string('floor');
  return undefined;
};
