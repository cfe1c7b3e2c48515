/** @file Ops that pick and place by index. */

import type { GradientCase } from '../gradient-case.ts';

const picked = (nodes: string, shape: string, indices: string): GradientCase => ({
  inputs: `float[${shape}] x`,
  constants: indices,
  nodes,
});

const REDUCTIONS = ['none', 'add', 'mul', 'max', 'min'];

const scattered = (reduction: string): Record<string, GradientCase> => ({
  [`ScatterElements ${reduction}`]: {
    inputs: 'float[3,3] x, float[2,3] u',
    constants:
      reduction === 'none'
        ? 'int64[2,3] i = {0, 2, -1, 1, 0, 0}'
        : 'int64[2,3] i = {0, 2, -1, 0, 0, 2}',
    nodes: `y = ScatterElements<axis=0, reduction="${reduction}">(x, i, u)`,
  },
  [`ScatterElements ${reduction}, last axis`]: {
    inputs: 'float[2,4] x, float[2,2] u',
    constants: 'int64[2,2] i = {0, -1, 1, 2}',
    nodes: `y = ScatterElements<axis=-1, reduction="${reduction}">(x, i, u)`,
  },
  [`ScatterND ${reduction}, elements`]: {
    inputs: 'float[3,3] x, float[3] u',
    constants:
      reduction === 'none'
        ? 'int64[3,2] i = {0, 1, -1, 0, 2, 2}'
        : 'int64[3,2] i = {0, 1, -1, 0, 0, 1}',
    nodes: `y = ScatterND<reduction="${reduction}">(x, i, u)`,
  },
  [`ScatterND ${reduction}, slices`]: {
    inputs: 'float[4,2] x, float[2,2] u',
    constants: 'int64[2,1] i = {3, 1}',
    nodes: `y = ScatterND<reduction="${reduction}">(x, i, u)`,
  },
});

export const INDEXING: Readonly<Record<string, GradientCase>> = {
  'Gather axis 1, repeated': picked(
    'y = Gather<axis=1>(x, i)',
    '2,3,2',
    'int64[2,2] i = {0, 2, 2, 1}',
  ),
  'Gather negative axis and indices': picked(
    'y = Gather<axis=-1>(x, i)',
    '2,4',
    'int64[3] i = {-1, 0, -4}',
  ),
  'Gather scalar index': picked('y = Gather<axis=0>(x, i)', '3,2', 'int64[] i = {-1}'),
  'Gather 32-bit indices': picked('y = Gather<axis=0>(x, i)', '3,2', 'int32[2] i = {2, -3}'),
  'Gather computed indices': {
    inputs: 'float[3,2] x, int64[2] i',
    nodes: 'y = Gather<axis=0>(x, i)',
    values: { i: [2, 0] },
  },
  'GatherElements axis 1': picked(
    'y = GatherElements<axis=1>(x, i)',
    '2,3',
    'int64[2,2] i = {0, 0, -1, 1}',
  ),
  'GatherElements default axis, fewer columns': picked(
    'y = GatherElements(x, i)',
    '3,3',
    'int64[2,2] i = {0, 2, 2, -2}',
  ),
  'GatherND elements': picked('y = GatherND(x, i)', '2,3', 'int64[3,2] i = {0, 1, 1, -1, 0, 1}'),
  'GatherND slices': picked('y = GatherND(x, i)', '2,3,2', 'int64[2,1] i = {1, 1}'),
  'GatherND batch_dims 1': picked(
    'y = GatherND<batch_dims=1>(x, i)',
    '2,3,2',
    'int64[2,2,1] i = {0, 2, 1, -1}',
  ),
  'GatherND batch_dims 1, one index each': picked(
    'y = GatherND<batch_dims=1>(x, i)',
    '2,3,2',
    'int64[2,1] i = {0, 2}',
  ),
  'GatherND batch_dims 2': picked(
    'y = GatherND<batch_dims=2>(x, i)',
    '2,2,3',
    'int64[2,2,1] i = {0, 2, 1, 1}',
  ),
  ...Object.assign({}, ...REDUCTIONS.map(scattered)),
  'Scatter of opset 10': {
    inputs: 'float[3,2] x, float[1,2] u',
    constants: 'int64[1,2] i = {2, 0}',
    nodes: 'y = Scatter(x, i, u)',
    opset: 10,
  },
  'ScatterElements 32-bit indices': {
    inputs: 'float[3,2] x, float[1,2] u',
    constants: 'int32[1,2] i = {2, 0}',
    nodes: 'y = ScatterElements(x, i, u)',
  },
  'ScatterElements mul with zeros': {
    inputs: 'float[3] x, float[4] u',
    constants: 'int64[4] i = {0, 0, 1, 2}',
    nodes: 'y = ScatterElements<reduction="mul">(x, i, u)',
    values: { u: [0, 1.5, 2, 0] },
  },
  'TopK largest': {
    ...picked('y, i = TopK(x, k)', '2,4', 'int64[1] k = {2}'),
  },
  'TopK smallest, axis 0, unsorted': {
    ...picked('y, i = TopK<axis=0, largest=0, sorted=0>(x, k)', '4,2', 'int64[1] k = {3}'),
  },
  'TopK of opset 9': {
    ...picked('y, i = TopK<axis=1, k=2>(x)', '2,4', ''),
    forward: 'linear',
    opset: 9,
    values: { x: [3, -1, 0.4, -4, 5, 1, -2, 8] },
  },
};
