/** @file Ops that move values about. */

import type { GradientCase } from '../gradient-case.ts';

const moved = (nodes: string, shape: string, constants?: string): GradientCase => ({
  inputs: `float[${shape}] x`,
  nodes,
  ...(constants && { constants }),
});

const sliced = (starts: string, ends: string, axes?: string, steps?: string): GradientCase => {
  const list = (name: string, values?: string) =>
    values === undefined ? [] : [`int64[${values.split(',').length}] ${name} = {${values}}`];
  return {
    inputs: 'float[4,5] x',
    constants: [
      ...list('starts', starts),
      ...list('ends', ends),
      ...list('axes', axes),
      ...list('steps', steps),
    ].join(', '),
    nodes: `y = Slice(x, starts, ends${axes ? ', axes' : ''}${steps ? ', steps' : ''})`,
  };
};

const padded = (mode: string, pads: string, more = ''): GradientCase => ({
  inputs: 'float[3,4] x',
  constants: `int64[${pads.split(',').length}] pads = {${pads}}${more && `, ${more}`}`,
  nodes: `y = Pad<mode="${mode}">(x, pads${more && ', "", axes'})`,
});

const FAR = '9223372036854775807';
const FAR_BACK = '-9223372036854775807';

export const SHAPE: Readonly<Record<string, GradientCase>> = {
  Reshape: moved('y = Reshape(x, s)', '2,3', 'int64[2] s = {3, -1}'),
  'Reshape zero copies': moved('y = Reshape(x, s)', '2,3,2', 'int64[2] s = {0, 6}'),
  'Flatten axis 2': moved('y = Flatten<axis=2>(x)', '2,3,2'),
  'Flatten negative axis': moved('y = Flatten<axis=-1>(x)', '2,3,2'),
  'Transpose default': moved('y = Transpose(x)', '2,3,2'),
  'Transpose perm': moved('y = Transpose<perm=[1,2,0]>(x)', '2,3,2'),
  'Squeeze axes': moved('y = Squeeze(x, a)', '1,3,1', 'int64[1] a = {-1}'),
  'Squeeze all': moved('y = Squeeze(x)', '1,3,1'),
  'Squeeze of opset 11': { ...moved('y = Squeeze<axes=[0]>(x)', '1,3,1'), opset: 11 },
  'Unsqueeze axes': moved('y = Unsqueeze(x, a)', '2,3', 'int64[2] a = {0, -1}'),
  'Unsqueeze of opset 11': { ...moved('y = Unsqueeze<axes=[0,3]>(x)', '2,3'), opset: 11 },
  'Expand to more axes': moved('y = Expand(x, s)', '3,1', 'int64[3] s = {2, 1, 4}'),
  'Expand scalar': moved('y = Expand(x, s)', '', 'int64[2] s = {2, 3}'),
  Tile: moved('y = Tile(x, r)', '2,3', 'int64[2] r = {3, 2}'),
  'Concat axis 1': {
    inputs: 'float[2,1] a, float[2,3] b, float[2,2] c',
    nodes: 'y = Concat<axis=1>(a, b, c)',
  },
  'Concat negative axis': {
    inputs: 'float[2,1,2] a, float[2,3,2] b',
    nodes: 'y = Concat<axis=-2>(a, b)',
  },
  'Concat same tensor twice': moved('y = Concat<axis=0>(x, x)', '2,2'),
  'Split even': {
    ...moved('a, b = Split<axis=1, num_outputs=2>(x)', '2,4'),
    outputs: 'a, b',
  },
  'Split uneven, last smaller': {
    ...moved('a, b, c = Split<axis=-1, num_outputs=3>(x)', '2,7'),
    outputs: 'a, b, c',
  },
  'Split sizes, one part unused': {
    ...moved('a, b, c = Split<axis=0>(x, s)', '6,2', 'int64[3] s = {1, 3, 2}'),
    outputs: 'a, c',
  },
  'Split of opset 11': {
    ...moved('a, b = Split<axis=1, split=[1,3]>(x)', '2,4'),
    outputs: 'a, b',
    opset: 11,
  },
  'Split of opset 11, even': {
    ...moved('a, b = Split<axis=1>(x)', '2,4'),
    outputs: 'a, b',
    opset: 11,
  },
  'Slice axes': sliced('1,0', '3,2', '0,1'),
  'Slice without axes': sliced('1', '3'),
  'Slice negative indices': sliced('-3,-4', '-1,9', '-2,-1'),
  'Slice steps': sliced('0,1', `4,${FAR}`, '0,1', '2,3'),
  'Slice steps that end early': sliced('0', '4', '1', '3'),
  'Slice negative step': sliced('3', '0', '0', '-1'),
  'Slice turned round': sliced('-1', FAR_BACK, '1', '-1'),
  'Slice negative step of 2 from beyond the end': sliced('99', FAR_BACK, '1', '-2'),
  'Slice of opset 9': {
    ...moved('y = Slice<axes=[1], starts=[1], ends=[3]>(x)', '2,4'),
    forward: 'linear',
    opset: 9,
  },
  'Pad constant': padded('constant', '1,0,2,3'),
  'Pad constant that cuts': padded('constant', '-1,1,0,-2'),
  'Pad constant along axes': padded('constant', '1,2', 'int64[1] axes = {-1}'),
  'Pad constant with a trained value': {
    inputs: 'float[2,3] x, float[] v',
    constants: 'int64[4] pads = {1, 0, 0, 2}',
    nodes: 'y = Pad(x, pads, v)',
  },
  'Pad constant that cuts, with a trained value': {
    inputs: 'float[2,3] x, float[] v',
    constants: 'int64[4] pads = {1, -1, 0, 2}',
    nodes: 'y = Pad(x, pads, v)',
  },
  'Pad reflect': padded('reflect', '2,1,1,3'),
  'Pad reflect along axes': padded('reflect', '2,1', 'int64[1] axes = {1}'),
  'Pad edge': padded('edge', '2,1,0,3'),
  'Pad wrap': padded('wrap', '2,1,1,3'),
  'Pad of opset 10': {
    ...moved('y = Pad<pads=[1,0,0,2], mode="reflect">(x)', '3,3'),
    opset: 10,
  },
  'Trilu upper': moved('y = Trilu(x)', '2,3,4'),
  'Trilu upper, above the diagonal': moved('y = Trilu(x, k)', '3,4', 'int64[] k = {1}'),
  'Trilu lower, below the diagonal': moved('y = Trilu<upper=0>(x, k)', '3,4', 'int64[] k = {-1}'),
  'ReverseSequence by columns': moved(
    'y = ReverseSequence<batch_axis=1, time_axis=0>(x, n)',
    '3,2,2',
    'int64[2] n = {2, 3}',
  ),
  'ReverseSequence by rows': moved(
    'y = ReverseSequence<batch_axis=0, time_axis=1>(x, n)',
    '2,3',
    'int64[2] n = {2, 1}',
  ),
  'DepthToSpace DCR': moved('y = DepthToSpace<blocksize=2>(x)', '1,8,2,3'),
  'DepthToSpace CRD': moved('y = DepthToSpace<blocksize=2, mode="CRD">(x)', '1,8,2,3'),
  SpaceToDepth: moved('y = SpaceToDepth<blocksize=2>(x)', '1,2,4,6'),
  'Dropout at inference': moved('y = Dropout(x)', '2,3'),
  'Dropout with a ratio, at inference': moved('y = Dropout(x, r)', '2,3', 'float[] r = {0.7}'),
  'Dropout of opset 7': { ...moved('y = Dropout<ratio=0.3>(x)', '2,3'), opset: 9 },
  CastLike: {
    inputs: 'float[2,3] x',
    constants: 'float[1] like = {0}',
    nodes: 'h = CastLike(x, like) y = Exp(h)',
  },
};
