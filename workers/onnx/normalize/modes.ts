/** @file Ops whose attributes kept their names and changed their words or defaults. */

import { string, stringOf } from '../attributes.ts';
import type { OpsetChange } from '../normalize.ts';

/** Scan 9 lost the batch axis and the lengths of sequences that version 8 had. */
export const scanBatch: OpsetChange = (node, { refuse }) =>
  refuse(node, 'Scan of opset 8 works on batches and has no form in newer opsets');

/** Dropout 10: the mask is bool; before it had the type of the data. */
export const dropoutMask: OpsetChange = (node, { refuse }) => {
  if (node.outputs[1] !== undefined)
    refuse(node, 'the mask of a Dropout before opset 10 has no form in newer opsets');
  return undefined;
};

/** RoiAlign 16: the default became half_pixel; what it did before is called output_half_pixel. */
export const roiAlign: OpsetChange = (node) => {
  node.attributes['coordinate_transformation_mode'] ??= string('output_half_pixel');
  return undefined;
};

/** GridSample 20: bilinear is called linear, bicubic cubic. */
export const gridSample: OpsetChange = (node) => {
  const mode = stringOf(node, 'mode', 'bilinear');
  node.attributes['mode'] = string({ bilinear: 'linear', bicubic: 'cubic' }[mode] ?? mode);
  return undefined;
};
