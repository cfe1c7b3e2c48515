/** @file Pad on blocked values. */

import { stringOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { numbersOf } from '../../onnx/values.ts';
import type { Lowering } from './layout.ts';
import { isWhole } from './passing.ts';

/**
 * Zeros around the images: a Conv of every channel by itself, with kernels of one place that hold 1 and with its pads. That runs in
 * several threads, which Pad does not.
 */
export const pad: Lowering = (node, layout) => {
  const [x, pads, value, axes] = node.inputs as [Value, ...(Value | undefined)[]];
  const y = node.outputs[0]!;
  if (!layout.has(x) || !isWhole(x, layout) || axes) return false;
  if (stringOf(node, 'mode', 'constant') !== 'constant') return false;
  const only = (v: Value | undefined) => v?.constant && numbersOf(v.constant);
  if (value && only(value)?.[0] !== 0) return false;
  const [n, c, top, left, endN, endC, bottom, right] = only(pads) ?? [];
  const around = [top, left, bottom, right] as number[];
  if ([n, c, endN, endC].some((k) => k !== 0) || around.some((k) => k < 0)) return false;
  const channels = shapeOf(x)[1]!;
  const ones = layout.g.fill(1, [channels, 1, 1, 1], x);
  const attributes = {
    pads: { type: 'ints', value: around },
    group: { type: 'int', value: channels },
    kernel_shape: { type: 'ints', value: [1, 1] },
  } as const;
  layout.hold(y, layout.op('Conv', [layout.blocked(x), ones], shapeOf(y), attributes));
  return true;
};
