/** @file Small graphs of structures that cuts must follow, each with the sizes of the groups it has. */

import type { Model } from '../../../workers/onnx/graph.ts';
import { modelOf, randomWeight, type Weight } from '../../helpers/tiny-model.ts';

interface Written {
  /** Sizes of the groups, in order. */
  readonly groups: readonly number[];
  readonly input?: string;
  readonly output?: string;
  /** Float weights by name. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
  /** Shapes, axes, indices by name. */
  readonly ints?: Readonly<Record<string, readonly number[]>>;
  readonly opset?: number;
  readonly nodes: string;
}

const IMAGE = { input: 'float[1, 3, 8, 8] x', output: 'float[1, 5, 8, 8] y' };

const WRITTEN: Readonly<Record<string, Written>> = {
  'a chain with BatchNorm': {
    ...IMAGE,
    groups: [8],
    weights: { a: [8, 3, 3, 3], s: [8], b: [8], m: [8], v: [8], z: [5, 8, 1, 1] },
    nodes: `h = Conv<pads=[1, 1, 1, 1]>(x, a)  v2 = Mul(v, v)  n = BatchNormalization(h, s, b, m, v2)
      r = Relu(n)  y = Conv(r, z)`,
  },
  'a residual sum, its branch and a branch of its own': {
    ...IMAGE,
    groups: [8, 6],
    weights: { a: [8, 3, 1, 1], b: [6, 8, 1, 1], c: [8, 6, 1, 1], z: [5, 8, 1, 1] },
    nodes:
      'p = Conv(x, a)  q = Conv(p, b)  q1 = Sigmoid(q)  r = Conv(q1, c)  s = Add(p, r)  y = Conv(s, z)',
  },
  'halves of one conv, one of them twice in a Concat': {
    ...IMAGE,
    groups: [6, 6],
    weights: { a: [12, 3, 1, 1], b: [6, 6, 1, 1], z: [5, 18, 1, 1] },
    ints: { halves: [6, 6] },
    nodes: `p = Conv(x, a)  l, r = Split<axis=1>(p, halves)  q = Conv(r, b)  s = Add(r, q)
      c = Concat<axis=1>(l, r, s)  y = Conv(c, z)`,
  },
  'equal shares that are equal no longer': {
    ...IMAGE,
    groups: [6, 6],
    weights: { a: [12, 3, 1, 1], z: [5, 12, 1, 1] },
    nodes:
      'p = Conv(x, a)  l, r = Split<axis=1, num_outputs=2>(p)  t = Tanh(l)  c = Concat<axis=1>(t, r)  y = Conv(c, z)',
  },
  'a tensor and pools of it': {
    ...IMAGE,
    groups: [6],
    weights: { a: [6, 3, 1, 1], z: [5, 18, 1, 1] },
    nodes: `p = Conv(x, a)  q = MaxPool<kernel_shape=[3, 3], pads=[1, 1, 1, 1]>(p)
      r = MaxPool<kernel_shape=[3, 3], pads=[1, 1, 1, 1]>(q)  c = Concat<axis=1>(p, q, r)  y = Conv(c, z)`,
  },
  'a depthwise conv with two outputs for each input': {
    ...IMAGE,
    groups: [6, 2],
    weights: { a: [6, 3, 1, 1], d: [12, 1, 3, 3], e: [12], z: [5, 12, 1, 1] },
    nodes:
      'p = Conv(x, a)  q = Conv<group=6, pads=[1, 1, 1, 1]>(p, d, e)  r = Relu(q)  y = Conv(r, z)',
  },
  'conv groups: whole ones, columns of them, rows of them': {
    ...IMAGE,
    groups: [3, 4, 2],
    weights: { a: [12, 3, 1, 1], g: [6, 4, 3, 3], z: [5, 6, 1, 1] },
    nodes:
      'p = Conv(x, a)  q = Conv<group=3, pads=[1, 1, 1, 1]>(p, g)  r = Relu(q)  y = Conv(r, z)',
  },
  'a transposed conv in groups': {
    ...IMAGE,
    output: 'float[1, 5, 16, 16] y',
    groups: [2, 4, 3],
    weights: { a: [8, 3, 1, 1], g: [8, 3, 2, 2], b: [6], z: [5, 6, 1, 1] },
    nodes: 'p = Conv(x, a)  q = ConvTranspose<group=2, strides=[2, 2]>(p, g, b)  y = Conv(q, z)',
  },
  'two branches, shuffled and halved': {
    ...IMAGE,
    groups: [3, 3, 4],
    weights: {
      a: [6, 3, 1, 1],
      b: [6, 3, 1, 1],
      c: [4, 6, 1, 1],
      d: [5, 4, 1, 1],
      e: [5, 6, 1, 1],
    },
    ints: { two: [1, 2, 6, 8, 8], one: [1, 12, 8, 8], halves: [6, 6] },
    nodes: `p = Conv(x, a)  q = Conv(x, b)  j = Concat<axis=1>(p, q)  k = Reshape(j, two)
      t = Transpose<perm=[0, 2, 1, 3, 4]>(k)  m = Reshape(t, one)  l, r = Split<axis=1>(m, halves)
      h = Conv(r, c)  g = Relu(h)  i = Conv(g, d)  o = Conv(l, e)  y = Add(i, o)`,
  },
  'a gate': {
    ...IMAGE,
    groups: [8, 4],
    weights: { a: [8, 3, 1, 1], b: [4, 8, 1, 1], c: [8, 4, 1, 1], z: [5, 8, 1, 1] },
    nodes: `p = Conv(x, a)  g = GlobalAveragePool(p)  h = Conv(g, b)  r = Relu(h)  i = Conv(r, c)  s = HardSigmoid(i)
      m = Mul(p, s)  y = Conv(m, z)`,
  },
  'attention with queries, keys and values from one product': {
    input: 'float[1, 6, 12] x',
    output: 'float[1, 6, 12] y',
    groups: [4, 5],
    weights: { w: [12, 60], b: [60], scale: [1], o: [20, 12] },
    ints: { split: [1, 6, 3, 4, 5], i0: [0], i1: [1], i2: [2], first: [0], flat: [0, 6, -1] },
    nodes: `p = MatMul(x, w)  a = Add(b, p)  r = Reshape(a, split)  t = Transpose<perm=[2, 0, 3, 1, 4]>(r)
      q0 = Gather<axis=0>(t, i0)  k0 = Gather<axis=0>(t, i1)  v0 = Gather<axis=0>(t, i2)
      q = Squeeze(q0, first)  k = Squeeze(k0, first)  v = Squeeze(v0, first)
      kt = Transpose<perm=[0, 1, 3, 2]>(k)  l = MatMul(q, kt)  m = Mul(l, scale)  s = Softmax<axis=-1>(m)
      c = MatMul(s, v)  u = Transpose<perm=[0, 2, 1, 3]>(c)  f = Reshape(u, flat)  y = MatMul(f, o)`,
  },
  'space from depth, and back': {
    ...IMAGE,
    groups: [2, 3],
    weights: { a: [8, 3, 1, 1], b: [3, 2, 1, 1], z: [5, 12, 1, 1] },
    nodes: `p = Conv(x, a)  d = DepthToSpace<blocksize=2, mode="CRD">(p)  q = Conv(d, b)
      s = SpaceToDepth<blocksize=2>(q)  y = Conv(s, z)`,
  },
  'norms of groups: whole groups': {
    ...IMAGE,
    groups: [4],
    weights: { a: [8, 3, 1, 1], s: [8], b: [8], z: [5, 8, 1, 1] },
    nodes: 'p = Conv(x, a)  n = GroupNormalization<num_groups=4>(p, s, b)  y = Conv(n, z)',
  },
  'channels stretched from one': {
    ...IMAGE,
    groups: [6],
    weights: { a: [6, 3, 1, 1], b: [1, 3, 1, 1], z: [5, 6, 1, 1] },
    ints: { wide: [1, 6, 8, 8], times: [1, 6, 1, 1] },
    nodes: `p = Conv(x, a)  q = Conv(x, b)  e = Expand(q, wide)  t = Tile(q, times)  m = Mul(p, e)  s = Sub(m, t)
      y = Conv(s, z)`,
  },
  'a sum and a norm over channels': {
    ...IMAGE,
    groups: [6],
    weights: { a: [6, 3, 1, 1], z: [5, 6, 1, 1] },
    ints: { axis: [1] },
    nodes: `p = Conv(x, a)  r = Relu(p)  n = ReduceL2<keepdims=1>(r, axis)  s = ReduceSum<keepdims=1>(r, axis)
      q = Conv(r, z)  t = Add(q, n)  y = Add(t, s)`,
  },
  'slices and picks': {
    ...IMAGE,
    groups: [4, 2, 2],
    weights: { a: [8, 3, 1, 1], b: [5, 4, 1, 1], z: [5, 6, 1, 1] },
    ints: { from: [-4], to: [2 ** 63], axis: [1], picks: [0, 1, 2, 3, 7, 6] },
    nodes: `p = Conv(x, a)  l = Slice(p, from, to, axis)  g = Gather<axis=1>(p, picks)  q = Conv(l, b)  r = Conv(g, z)
      y = Add(q, r)`,
  },
  'a shortcut padded with zeros': {
    ...IMAGE,
    groups: [4, 6],
    weights: { a: [4, 3, 1, 1], b: [6, 4, 1, 1], c: [8, 6, 1, 1], z: [5, 8, 1, 1] },
    ints: { pads: [0, 2, 0, 0, 0, 2, 0, 0] },
    nodes:
      'p = Conv(x, a)  q = Conv(p, b)  r = Relu(q)  s = Conv(r, c)  w = Pad(p, pads)  t = Add(s, w)  y = Conv(t, z)',
  },
  'one constant for two channels widths': {
    ...IMAGE,
    groups: [6, 6],
    weights: { a: [6, 3, 1, 1], b: [6, 6, 1, 1], shared: [6], z: [5, 6, 1, 1] },
    nodes: 'p = Conv(x, a, shared)  r = Relu(p)  q = Conv(r, b, shared)  y = Conv(q, z)',
  },
  'one weight for two tensors': {
    ...IMAGE,
    groups: [6],
    weights: { a: [6, 3, 1, 1], z: [5, 6, 1, 1] },
    nodes:
      'p = Conv(x, a)  m = Neg(x)  q = Conv(m, a)  r = Relu(q)  s = Conv(p, z)  t = Conv(r, z)  y = Add(s, t)',
  },
  'equal weights that an exporter stored once': {
    ...IMAGE,
    groups: [6, 6],
    weights: { a: [6, 3, 1, 1], b: [6, 6, 1, 1], z: [5, 6, 1, 1] },
    nodes:
      'p = Conv(x, a)  q = Conv(p, b)  b2 = Identity(b)  r = Conv(q, b2)  s = Add(q, r)  y = Conv(s, z)',
  },
  'products in Einstein notation': {
    input: 'float[2, 6, 12] x',
    output: 'float[2, 6, 4] y',
    groups: [9],
    weights: { w: [12, 9], b: [9], e: [9, 7], v: [7, 4] },
    nodes: `p = MatMul(x, w)  q = Add(p, b)  r = Gelu(q)  s = Einsum<equation="bnc,cd->bnd">(r, e)
      t = Transpose<perm=[0, 2, 1]>(s)  y = Einsum<equation="bdn,de->bne">(t, v)`,
  },
  'attention in rolled windows, with a bias for each head': {
    input: 'float[1, 16, 12] x',
    output: 'float[1, 16, 12] y',
    groups: [12, 2, 6, 20],
    weights: {
      e: [12, 12],
      w: [12, 36],
      b: [36],
      bias: [1, 2, 4, 4],
      o: [12, 12],
      f: [12, 20],
      g: [20, 12],
    },
    ints: {
      ...{
        map: [1, 4, 4, 12],
        parts: [1, 2, 2, 2, 2, 12],
        windows: [4, 4, 12],
        heads: [4, 4, 3, 2, 6],
      },
      ...{ flat: [1, 16, 12], zero: [0], one: [1], end: [2 ** 63], axis: [1] },
    },
    nodes: `t = MatMul(x, e)  s = Reshape(t, map)  s1 = Slice(s, one, end, axis)  s2 = Slice(s, zero, one, axis)
      r = Concat<axis=1>(s1, s2)  p = Reshape(r, parts)  u = Transpose<perm=[0, 1, 3, 2, 4, 5]>(p)
      win = Reshape(u, windows)  m = MatMul(win, w)  a = Add(m, b)  h = Reshape(a, heads)
      v = Transpose<perm=[2, 0, 3, 1, 4]>(h)  q0, k0, v0 = Split<axis=0, num_outputs=3>(v)
      q = Squeeze(q0, zero)  k = Squeeze(k0, zero)  vv = Squeeze(v0, zero)
      kt = Transpose<perm=[0, 1, 3, 2]>(k)  l = MatMul(q, kt)  lb = Add(l, bias)  sm = Softmax<axis=-1>(lb)
      c = MatMul(sm, vv)  ct = Transpose<perm=[0, 2, 1, 3]>(c)  cr = Reshape(ct, windows)  d = MatMul(cr, o)
      back = Reshape(d, flat)  res = Add(back, t)  n = MatMul(res, f)  gl = Gelu(n)  y = MatMul(gl, g)`,
  },
  'values looked up at places, head by head': {
    ...IMAGE,
    groups: [2, 4],
    weights: { a: [8, 3, 1, 1], grid: [2, 8, 8, 2], z: [5, 8, 1, 1] },
    ints: { heads: [2, 4, 8, 8], flat: [1, 8, 8, 8] },
    nodes: `p = Conv(x, a)  h = Reshape(p, heads)  s = GridSample<align_corners=0>(h, grid)  f = Reshape(s, flat)
      y = Conv(f, z)`,
  },
  'dual paths: a part added, a part joined': {
    ...IMAGE,
    groups: [4, 3, 6, 3],
    weights: { a: [7, 3, 1, 1], b: [6, 7, 1, 1], c: [7, 6, 3, 3], z: [5, 10, 1, 1] },
    ints: { zero: [0], four: [4], end: [2 ** 62], axis: [1] },
    nodes: `p = Conv(x, a)  s = Slice(p, zero, four, axis)  d = Slice(p, four, end, axis)  q = Conv(p, b)  r = Relu(q)
      t = Conv<pads=[1, 1, 1, 1]>(r, c)  ts = Slice(t, zero, four, axis)  td = Slice(t, four, end, axis)
      sum = Add(s, ts)  j = Concat<axis=1>(sum, d, td)  y = Conv(j, z)`,
  },
  'older forms: attributes instead of inputs': {
    ...IMAGE,
    opset: 11,
    groups: [6, 6],
    weights: { a: [12, 3, 1, 1], z: [5, 12, 1, 1] },
    ints: { from: [0], to: [6], axis: [1] },
    nodes: `p = Conv(x, a)  l, r = Split<axis=1, split=[6, 6]>(p)  s = Slice(p, from, to, axis)  t = Add(l, s)
      c = Concat<axis=1>(t, r)  y = Conv(c, z)`,
  },
};

export const SMALL_GRAPHS: readonly (readonly [string, readonly number[], () => Model])[] =
  Object.entries(WRITTEN).map(([name, graph]) => [name, graph.groups, () => build(graph)]);

function build({ input, output, weights, ints = {}, opset = 21, nodes }: Written): Model {
  const floats = Object.entries(weights).map(([name, dims]) => `float[${dims}] ${name}`);
  const whole = Object.entries(ints).map(([name, list]) => `int64[${list.length}] ${name}`);
  const text = `<ir_version: 10, opset_import: ["" : ${opset}]>
    g (${[input, ...floats, ...whole].join(', ')}) => (${output}) { ${nodes} }`;
  const numbers = Object.entries(weights).map(([name, dims], i) => {
    return [name, randomWeight(dims, 31 * i + dims.length)] as const;
  });
  const lists = Object.entries(ints).map(([name, list]) => {
    return [name, { dims: [list.length], data: list }] as const;
  });
  return modelOf(text, Object.fromEntries<Weight>([...numbers, ...lists]));
}
