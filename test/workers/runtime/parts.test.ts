import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { compareParts, cutsOf } from '../../../workers/runtime/parts.ts';
import { reshapeGroups } from '../../../workers/runtime/reshape-groups.ts';
import type { HostTensor } from '../../../workers/runtime/session.ts';

const cases: Record<string, readonly [string, readonly (readonly number[])[]]> = {
  'one maker: one part': ['(float[2,6] X) => (float[2,6] Y) { Y = Sigmoid(X) }', [[], []]],
  'rows of different makers': [
    '(float[1,4,6] A, float[1,2,6] B) => (float[1,6,6] Y) { S = Sigmoid(B) Y = Concat<axis=1>(A, S) }',
    [[], [4], []],
  ],
  'levels inside rows': [
    `(float[1,4,6] A, float[1,4,3] B, float[1,2,9] C) => (float[1,6,9] Y)
     { J = Concat<axis=2>(A, B) S = Sigmoid(J) Y = Concat<axis=1>(S, C) }`,
    [[], [4], [6]],
  ],
  'through Transpose and a factor': [
    `(float[1,4,6] A, float[1,1,6] B) => (float[1,6,5] Y) <float[1,5,1] f = {1,2,3,4,5}>
     { J = Concat<axis=1>(A, B) M = Mul(J, f) Y = Transpose<perm=[0,2,1]>(M) }`,
    [[], [], [4]],
  ],
  'through a reshape that keeps the axis': [
    `(float[1,4,6] A, float[1,1,6] B) => (float[1,5,2,3] Y) <int64[4] s = {1,5,2,3}>
     { J = Concat<axis=1>(A, B) Y = Reshape(J, s) }`,
    [[], [4], [], []],
  ],
  'through a slice': [
    `(float[1,4] A, float[1,4] B) => (float[1,5] Y) <int64[1] lo = {2}, int64[1] hi = {7}, int64[1] ax = {1}>
     { J = Concat<axis=1>(A, B) Y = Slice(J, lo, hi, ax) }`,
    [[], [2]],
  ],
  'not through a product that mixes': [
    `(float[2,1] A, float[2,1] B) => (float[2,2] Y) <float[2,2] W = {1,2,3,4.5}>
     { J = Concat<axis=1>(A, B) Y = MatMul(J, W) }`,
    [[], []],
  ],
};

test.each(Object.entries(cases))('%s', async (_, [text, cuts]) => {
  const model = parseText(text);
  await inferTypes(model);

  const found = cutsOf(model.graph, model.graph.outputs[0]!);

  expect(found.map((set) => [...set].sort((a, b) => a - b))).toEqual(cuts);
});

const tensor = (...data: number[]): HostTensor => ({
  dtype: 'float32',
  dims: [data.length],
  data: Float32Array.from(data),
});
const cuts = [new Set([2])];

test('each part is measured by its own scale', () => {
  const [a, b] = [tensor(380, 200, 0.5, 0.25), tensor(380, 200, 0.5, 0.3)];

  expect(compareParts(a, b).error).toBeCloseTo(0.05 / 380, 6);
  expect(compareParts(a, b, cuts)).toEqual({ error: expect.closeTo(0.1, 5), part: '[2…3]' });
});

test.each([
  ['equal', tensor(1, 2), tensor(1, 2), 0],
  ['equal NaN and infinity', tensor(Number.NaN, Infinity), tensor(Number.NaN, Infinity), 0],
  ['NaN for a number', tensor(1, 2), tensor(1, Number.NaN), Infinity],
  ['something for zeros', tensor(0, 0), tensor(0, 1e-9), Infinity],
  ['another shape', tensor(1, 2), tensor(1), Infinity],
])('%s', (_, a, b, error) => {
  expect(compareParts(a, b).error).toBe(error);
});

test.each([
  [[1, 2, 64, 100], [1, 128, 10, 10], '0>0 1,2>1 3>2,3'],
  [[2, 3], [2, 1, 3], '0>0 >1 1>2'],
  [[2, 1, 3], [6], '0,1,2>0'],
  [[6], [2, 3], '0>0,1'],
  [[1, 512, 1, 1], [1, 512], '0>0 1>1 2> 3>'],
])('axes of [%s] reshaped to [%s]', (from, to, groups) => {
  expect(
    reshapeGroups(from, to)
      .map((g) => `${g.from}>${g.to}`)
      .join(' '),
  ).toBe(groups);
});
