/** @file Gradients of ops that pick and place by index. Indices have no gradient. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { intOf, stringOf } from '../../onnx/attributes.ts';
import { type Node, nodeLabel } from '../../onnx/graph.ts';
import { axisOf, shapeOf } from '../../onnx/static-shapes.ts';
import { scatterAdd } from '../along.ts';
import type { GradientRule } from '../rule.ts';

const refuse = (node: Node, why: string): never => {
  throw new ServiceError('OP_NOT_DIFFERENTIABLE', { op: node.op, node: nodeLabel(node), why });
};

/** y = x[…, indices, …] along `axis`;  dx = Σ of the slices that each place was copied to. */
export const gather: GradientRule = ({ node, x: [x, indices], dy: [d], g }) => [
  () => scatterAdd(g, d, indices, axisOf(intOf(node, 'axis', 0), shapeOf(x).length), shapeOf(x)),
  null,
];

/** y[i…] = x[… index[i…] …] along `axis`;  dx = scatter-add of dy. */
export const gatherElements: GradientRule = ({ node, x: [x, indices], dy: [d], g }) => [
  () =>
    g.op('ScatterElements', [g.zeros(shapeOf(x), d), indices, d], shapeOf(x), {
      axis: { type: 'int', value: intOf(node, 'axis', 0) },
      reduction: { type: 'string', value: 'add' },
    }),
  null,
];

/** y = x at index tuples;  dx = scatter-add of dy. */
export const gatherND: GradientRule = ({ node, x: [x, indices], dy: [d], g }) => [
  () => {
    if (intOf(node, 'batch_dims', 0) !== 0) refuse(node, 'batch_dims other than 0 has no rule');
    return g.op('ScatterND', [g.zeros(shapeOf(x), d), indices, d], shapeOf(x), {
      reduction: { type: 'string', value: 'add' },
    });
  },
  null,
];

/** Only overwriting and adding are linear in both operands. */
function scatterKind(node: Node): 'none' | 'add' {
  const reduction = stringOf(node, 'reduction', 'none');
  return reduction === 'none' || reduction === 'add'
    ? reduction
    : refuse(node, `reduction '${reduction}' has no rule`);
}

/** y = x with updates written (or added) at index;  dx = dy (0 where overwritten), dupdates = dy at index. */
export const scatterElements: GradientRule = ({ node, x: [, indices, updates], dy: [d], g }) => {
  const axis = { axis: { type: 'int', value: intOf(node, 'axis', 0) } } as const;
  return [
    () =>
      scatterKind(node) === 'add'
        ? d
        : g.op('ScatterElements', [d, indices, g.zeros(shapeOf(updates), d)], shapeOf(d), axis),
    null,
    () => g.op('GatherElements', [d, indices], shapeOf(updates), axis),
  ];
};

export const scatterND: GradientRule = ({ node, x: [, indices, updates], dy: [d], g }) => [
  () =>
    scatterKind(node) === 'add'
      ? d
      : g.op('ScatterND', [d, indices, g.zeros(shapeOf(updates), d)], shapeOf(d)),
  null,
  () => g.op('GatherND', [d, indices], shapeOf(updates)),
];

/** The k largest values and where they were;  dx = dy put back there. */
export const topK: GradientRule = ({ node, x: [x], y: [, indices], dy: [d], g }) => [
  () =>
    g.op('ScatterElements', [g.zeros(shapeOf(x), d), indices, d], shapeOf(x), {
      axis: { type: 'int', value: intOf(node, 'axis', -1) },
    }),
  null,
];
