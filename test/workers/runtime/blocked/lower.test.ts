/** @file Graphs in blocks of channels against the same graphs in the plain layout, and what stays plain. */

import { describe, expect, test } from 'vitest';

import type { Model } from '../../../../workers/onnx/graph.ts';
import { shapeOf } from '../../../../workers/onnx/static-shapes.ts';
import { blockSize } from '../../../../workers/runtime/blocked/block-size.ts';
import { BLOCKED_DOMAIN } from '../../../../workers/runtime/blocked/layout.ts';
import { blockConvolutions } from '../../../../workers/runtime/blocked/lower.ts';
import { type Feed, openSession } from '../../../../workers/runtime/session.ts';
import { canonical } from '../../../../workers/training/canonical.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

const block = await blockSize();

/** What the graph makes of random inputs. */
async function outputsOf(model: Model): Promise<Record<string, readonly number[]>> {
  const feeds = Object.fromEntries(
    model.graph.inputs.map((v, i): [string, Feed] => {
      const { dims, data } = randomWeight(shapeOf(v), i + 1, 0.5);
      return [v.name, { dims, data: Float32Array.from(data) }];
    }),
  );
  const session = await openSession(model);
  const results = await session.run(feeds);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([k, t]) => [k, [...t.data].map(Number)]));
}

/** How often each op of the blocked domain stands in a graph. */
function blockedOps({ graph }: Model): Record<string, number> {
  const ops = graph.nodes.filter((n) => n.domain === BLOCKED_DOMAIN).map((n) => n.op);
  return Object.fromEntries(
    [...new Set(ops)].map((op) => [op, ops.filter((o) => o === op).length]),
  );
}

async function bothForms(text: string) {
  const [plain, blocked] = [await canonical(modelOf(text, {})), await canonical(modelOf(text, {}))];
  blockConvolutions(blocked, block!);
  return { plain, blocked };
}

/** A Conv as a graph: shapes of X and W, attributes, shape of Y. */
const one = (op: string, x: string, w: string, attributes: string, y: string, bias?: number) =>
  `(float[${x}] x, float[${w}] w${bias ? `, float[${bias}] b` : ''}) => (float[${y}] y) {
    y = ${op}<${attributes}>(x, w${bias ? ', b' : ''}) }`;

const PAD1 = 'pads = [1, 1, 1, 1]';
const LOWERED: [string, string][] = [
  ['3 × 3', one('Conv', '2, 32, 5, 7', '48, 32, 3, 3', PAD1, '2, 48, 5, 7', 48)],
  ['1 × 1', one('Conv', '2, 32, 5, 7', '16, 32, 1, 1', '', '2, 16, 5, 7', 16)],
  ['three channels in', one('Conv', '2, 3, 8, 8', '16, 3, 3, 3', PAD1, '2, 16, 8, 8', 16)],
  ['blocks filled up', one('Conv', '2, 60, 5, 5', '56, 60, 3, 3', PAD1, '2, 56, 5, 5', 56)],
  ['1 × 1, blocks filled up', one('Conv', '2, 60, 5, 5', '32, 60, 1, 1', '', '2, 32, 5, 5')],
  [
    'strided, uneven pads, dilated',
    one(
      'Conv',
      '2, 16, 9, 12',
      '32, 16, 3, 2',
      'strides = [2, 3], pads = [1, 0, 2, 1], dilations = [1, 2]',
      '2, 32, 5, 4',
    ),
  ],
  [
    'auto_pad',
    one('Conv', '1, 16, 7, 7', '16, 16, 4, 4', 'auto_pad = "SAME_UPPER"', '1, 16, 7, 7'),
  ],
  ['transposed', one('ConvTranspose', '2, 32, 5, 7', '32, 16, 3, 3', PAD1, '2, 16, 5, 7', 16)],
  [
    'transposed, stride 2',
    one(
      'ConvTranspose',
      '2, 32, 5, 3',
      '32, 16, 3, 3',
      `strides = [2, 2], ${PAD1}, output_padding = [1, 1]`,
      '2, 16, 10, 6',
      16,
    ),
  ],
  [
    'transposed, strides and kernel of their own per axis, blocks filled up',
    one(
      'ConvTranspose',
      '2, 56, 4, 3',
      '56, 32, 4, 3',
      'strides = [2, 3], pads = [1, 0, 1, 0]',
      '2, 32, 8, 9',
    ),
  ],
];

describe.skipIf(block === undefined)('blocked', () => {
  test.for(LOWERED)('%s: every number stays', async ([, text]) => {
    const { plain, blocked } = await bothForms(text);
    expect(blockedOps(blocked)['Conv']).toBeGreaterThan(0);
    expect(blocked.graph.nodes.some((n) => n.domain === '' && n.op.startsWith('Conv'))).toBe(false);
    const [a, b] = [await outputsOf(plain), await outputsOf(blocked)];
    for (const [i, y] of a['y']!.entries()) expect(b['y']![i]).toBeCloseTo(y, 4);
  });

  test.for([
    ['grouped', one('Conv', '1, 32, 5, 5', '32, 16, 3, 3', `group = 2, ${PAD1}`, '1, 32, 5, 5')],
    ['one axis', one('Conv', '1, 32, 9', '32, 32, 3', 'pads = [1, 1]', '1, 32, 9')],
    ['10 channels out', one('Conv', '1, 32, 5, 5', '10, 32, 1, 1', '', '1, 10, 5, 5')],
    ['blocks half empty', one('Conv', '1, 32, 5, 5', '8, 32, 1, 1', '', '1, 8, 5, 5')],
    [
      'transposed, outputs that no input reaches alike',
      one('ConvTranspose', '1, 16, 4, 4', '16, 16, 3, 3', 'strides = [2, 2]', '1, 16, 9, 9'),
    ],
  ])('%s: stays plain', async ([, text]) => {
    const { plain, blocked } = await bothForms(text!);
    expect(blockedOps(blocked)).toEqual({});
    expect(await outputsOf(blocked)).toEqual(await outputsOf(plain));
  });

  test('values stay blocked between Convs, and one that others take is made plain once', async () => {
    const { plain, blocked } = await bothForms(
      `(float[2, 16, 6, 6] x, float[32, 16, 3, 3] u, float[64, 64, 1, 1] v, float[1] half) =>
        (float[2, 64, 6, 6] y, float[2, 32, 1, 1] m) {
        axes = Constant<value_ints = [2, 3]>()
        sizes = Constant<value_ints = [16, 16]>()
        c = Conv<pads = [1, 1, 1, 1]>(x, u)
        s = Sigmoid(c)
        a = Mul(c, s)
        m = ReduceMean(a, axes)
        l, r = Split<axis = 1>(a, sizes)
        t = Mul(r, half)
        j = Concat<axis = 1>(l, a, t)
        y = Conv(j, v)
      }`,
    );
    // x and the two weights go in (a 3 × 3 kernel twice), a and y come out.
    expect(blockedOps(blocked)).toEqual({ ReorderInput: 4, Conv: 2, ReorderOutput: 2 });
    const [a, b] = [await outputsOf(plain), await outputsOf(blocked)];
    for (const name of ['y', 'm'])
      for (const [i, y] of a[name]!.entries()) expect(b[name]![i]).toBeCloseTo(y, 4);
  });

  test('a sum of which one part is a Conv is one node', async () => {
    const { plain, blocked } = await bothForms(
      `(float[2, 16, 6, 6] x, float[16, 16, 3, 3] u, float[16, 16, 1, 1] v) => (float[2, 16, 6, 6] y) {
        a = Conv<pads = [1, 1, 1, 1]>(x, u)
        b = Conv(x, v)
        c = Sigmoid(b)
        d = Add(a, c)
        y = Neg(d)
      }`,
    );
    expect(blocked.graph.nodes.map((n) => n.op)).not.toContain('Add');
    const [a, b] = [await outputsOf(plain), await outputsOf(blocked)];
    for (const [i, y] of a['y']!.entries()) expect(b['y']![i]).toBeCloseTo(y, 4);
  });

  /** A Conv, then a Pad of what it gives. */
  const padded = (attributes: string, pads: string, value: string, y: string) =>
    `(float[2, 32, 5, 7] x, float[16, 32, 1, 1] w) => (float[${y}] y) {
      pads = Constant<value_ints = [${pads}]>()
      value = Constant<value_float = ${value}>()
      a = Conv(x, w)
      y = Pad<${attributes}>(a, pads, value)
    }`;

  test('zeros around images that are in blocks are a Conv, and its constants go', async () => {
    const text = padded('', '0, 0, 1, 0, 0, 0, 2, 3', '0.0', '2, 16, 8, 10');
    const { plain, blocked } = await bothForms(text);
    expect(blocked.graph.nodes.map((n) => n.op)).not.toContain('Pad');
    expect(blocked.graph.initializers.map((v) => v.name)).not.toContain('pads');
    const [a, b] = [await outputsOf(plain), await outputsOf(blocked)];
    for (const [i, y] of a['y']!.entries()) expect(b['y']![i]).toBeCloseTo(y, 4);
  });

  test.for([
    ['another number', '', '0, 0, 1, 1, 0, 0, 1, 1', '2.0', '2, 16, 7, 9'],
    ['another mode', 'mode = "edge"', '0, 0, 1, 1, 0, 0, 1, 1', '0.0', '2, 16, 7, 9'],
    ['channels', '', '0, 0, 0, 0, 0, 16, 0, 0', '0.0', '2, 32, 5, 7'],
    ['a crop', '', '0, 0, 1, 1, 0, 0, -1, 0', '0.0', '2, 16, 5, 8'],
  ])('a Pad with %s stays plain', async ([, attributes, pads, value, y]) => {
    const { plain, blocked } = await bothForms(padded(attributes!, pads!, value!, y!));
    expect(blocked.graph.nodes.map((n) => n.op)).toContain('Pad');
    const [a, b] = [await outputsOf(plain), await outputsOf(blocked)];
    for (const [i, y] of a['y']!.entries()) expect(b['y']![i]).toBeCloseTo(y, 4);
  });

  test('a cut within a block is made on plain values', async () => {
    const { plain, blocked } = await bothForms(
      `(float[1, 16, 4, 4] x, float[32, 16, 1, 1] u, float[16, 16, 1, 1] v) => (float[1, 16, 4, 4] y) {
        starts = Constant<value_ints = [8]>()
        ends = Constant<value_ints = [24]>()
        axes = Constant<value_ints = [1]>()
        a = Conv(x, u)
        b = Slice(a, starts, ends, axes)
        y = Conv(b, v)
      }`,
    );
    expect(blockedOps(blocked)).toMatchObject({ Conv: 2, ReorderOutput: 2 });
    const [a, b] = [await outputsOf(plain), await outputsOf(blocked)];
    for (const [i, y] of a['y']!.entries()) expect(b['y']![i]).toBeCloseTo(y, 4);
  });
});
