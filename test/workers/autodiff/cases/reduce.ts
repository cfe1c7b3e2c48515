/** @file Reductions over one axis, several, all and none; axes as input and as attribute. */

import type { GradientCase } from '../gradient-case.ts';

const OPS = [
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceProd',
  'ReduceSum',
  'ReduceSumSquare',
];

const reduced = (op: string, axes: string, attributes = ''): GradientCase => ({
  inputs: 'float[2,3,2] x',
  ...(axes && { constants: `int64[${axes.split(',').length}] axes = {${axes}}` }),
  nodes: `y = ${op}${attributes}(x${axes ? ', axes' : ''})`,
  values: { x: op === 'ReduceLogSum' ? { from: 0.5, to: 2 } : { from: -2, to: 2 } },
});

const cumulative = (attributes: string, axis: number): GradientCase => ({
  inputs: 'float[2,3] x',
  constants: `int64[] axis = {${axis}}`,
  nodes: `y = CumSum${attributes}(x, axis)`,
});

export const REDUCE: Readonly<Record<string, GradientCase>> = {
  ...Object.fromEntries(
    OPS.flatMap((op) => [
      [`${op} one axis`, reduced(op, '1')],
      [`${op} negative axis, dropped`, reduced(op, '-2', '<keepdims=0>')],
      [`${op} two axes, dropped`, reduced(op, '0,2', '<keepdims=0>')],
      [`${op} all`, reduced(op, '')],
      [`${op} all, dropped`, reduced(op, '', '<keepdims=0>')],
      [`${op} axes as attribute`, { ...reduced(op, '', '<axes=[1]>'), opset: 11 }],
    ]),
  ),
  ...Object.fromEntries(
    ['ReduceSum', 'ReduceMean', 'ReduceMax'].map((op) => [
      `${op} no axes, on purpose`,
      reduced(op, '', '<noop_with_empty_axes=1>'),
    ]),
  ),
  'ReduceProd with one zero': {
    inputs: 'float[2,3] x',
    constants: 'int64[1] axes = {1}',
    nodes: 'y = ReduceProd(x, axes)',
    values: { x: [1.5, 0, -2, 0.5, 2, 3] },
  },
  'ReduceProd with two zeros': {
    inputs: 'float[2,3] x',
    constants: 'int64[1] axes = {1}',
    nodes: 'y = ReduceProd(x, axes)',
    values: { x: [1.5, 0, 0, 0.5, 2, 3] },
  },
  CumSum: cumulative('', 1),
  'CumSum negative axis': cumulative('', -2),
  'CumSum exclusive': cumulative('<exclusive=1>', 1),
  'CumSum reverse': cumulative('<reverse=1>', 1),
  'CumSum exclusive reverse': cumulative('<exclusive=1, reverse=1>', 0),
};
