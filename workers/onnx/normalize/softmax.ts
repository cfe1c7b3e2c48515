/** @file Softmax, LogSoftmax and Hardmax before opset 13 worked on a matrix: all axes from `axis` on were one. */

import { int, intOf } from '../attributes.ts';
import { type Node, shapeKnown } from '../graph.ts';
import type { OpsetChange } from '../normalize.ts';

/**
 * The last axis, or one followed by axes of size 1: the same op along that axis. Otherwise
 * Flatten(axis) → op(−1) → Reshape back to the shape that came in.
 */
export const flattened: OpsetChange = (node, { value }) => {
  const axis = intOf(node, 'axis', 1);
  const shape = shapeKnown(node.inputs[0]);
  const from = axis < 0 ? axis + (shape?.length ?? 0) : axis;
  if (shape?.slice(from + 1).every((d) => d === 1)) {
    node.attributes['axis'] = int(axis);
    return undefined;
  }
  const x = node.inputs[0]!;
  const y = node.outputs[0]!;
  const [flat, soft, size] = [value(node, 'flat'), value(node, 'soft'), value(node, 'shape')];
  const plain = (
    op: string,
    inputs: Node['inputs'],
    output: Node['outputs'][0],
    attributes: Node['attributes'] = {},
  ): Node => ({
    name: `${node.name}/${op}`,
    op,
    domain: '',
    inputs,
    outputs: [output],
    attributes,
  });
  return [
    plain('Shape', [x], size),
    plain('Flatten', [x], flat, { axis: int(axis) }),
    { ...node, inputs: [flat], outputs: [soft], attributes: { ...node.attributes, axis: int(-1) } },
    plain('Reshape', [soft, size], y),
  ];
};
