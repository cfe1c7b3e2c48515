/** @file Normalization ops whose statistics or scales changed their form. */

import { int, intOf } from '../attributes.ts';
import { type Node, shapeKnown } from '../graph.ts';
import type { OpsetChange } from '../normalize.ts';
import { numbersOf } from '../values.ts';

/** BatchNormalization 9 lost `spatial`; 0 (statistics per position) has no counterpart. */
export const spatial: OpsetChange = (node, { refuse }) => {
  if (intOf(node, 'spatial', 1) === 0)
    refuse(node, 'BatchNormalization with spatial=0 has no form in newer opsets');
  delete node.attributes['spatial'];
  return undefined;
};

/** BatchNormalization 14: five outputs (training was told by their presence) became three and `training_mode`. */
export const outputs: OpsetChange = (node) => {
  const training = node.outputs.slice(1).some((y) => y !== undefined);
  if (training) node.attributes['training_mode'] = int(1);
  node.outputs = node.outputs.slice(0, training ? 3 : 1);
  return undefined;
};

/** GroupNormalization 21: scale and bias per channel instead of per group. Exact where both are constants. */
export const groupScale: OpsetChange = (node: Node, { floats, refuse }) => {
  const groups = intOf(node, 'num_groups', 1);
  const shape = shapeKnown(node.inputs[0]);
  const channels = shape?.[1];
  for (const i of [1, 2]) {
    const tensor = node.inputs[i]?.constant;
    if (!tensor || typeof channels !== 'number')
      return refuse(
        node,
        'GroupNormalization before opset 21 needs constant scale and bias and a known number of channels',
      );
    const perGroup = numbersOf(tensor);
    const data = Array.from(
      { length: channels },
      (_, c) => perGroup[Math.floor((c * groups) / channels)]!,
    );
    node.inputs[i] = floats(node, i === 1 ? 'scale' : 'bias', [channels], data, node.inputs[i]);
  }
  return undefined;
};
