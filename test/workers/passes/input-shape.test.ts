import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';
import { type InputShape, setInputShape } from '../../../workers/passes/input-shape.ts';
import { openSession } from '../../../workers/runtime/session.ts';

const numbers = (count: number, of = (i: number) => i + 0.5) =>
  Array.from({ length: count }, (_, i) => of(i)).join(',');

const outputDims = async (text: string, shape: InputShape) => {
  const { model } = await setInputShape(parseText(text), shape);
  return model.graph.outputs.map(({ type }) => (type?.kind === 'tensor' ? type.shape : undefined));
};

/** Column and row numbers of an h × w map, row-major, offset by half a cell. */
const columns = (h: number, w: number) => numbers(h * w, (i) => (i % w) + 0.5);
const rows = (h: number, w: number) => numbers(h * w, (i) => Math.floor(i / w) + 0.5);

/** Two levels joined on one axis, a grid of cell centres added, a stride per level multiplied. */
const detector = (h: number, w: number) => {
  const [a, b] = [h * w, (h / 2) * (w / 2)];
  return `(float[1,2,${h},${w}] X) => (float[1,2,${a + b}] Y)
    <int64[3] flat = {1,2,-1},
     float[1,2,${a + b}] grid = {${columns(h, w)},${columns(h / 2, w / 2)},${rows(h, w)},${rows(h / 2, w / 2)}},
     float[1,${a + b}] stride = {${numbers(a, () => 8)},${numbers(b, () => 16)}}>
    { A = Reshape(X, flat) P = MaxPool<kernel_shape=[2,2], strides=[2,2]>(X) B = Reshape(P, flat)
      J = Concat<axis=2>(A, B) C = Add(J, grid) Y = Mul(C, stride) }`;
};

test('grids and strides are made anew, exactly', async () => {
  const { model, constants } = await setInputShape(parseText(detector(8, 12)), [1, 2, 12, 16]);

  const wanted = parseText(detector(12, 16));
  const constantOf = (from: typeof model, name: string) =>
    numbersOf(from.graph.initializers.find((v) => v.name === name)!.constant!);
  for (const name of ['grid', 'stride'])
    expect(constantOf(model, name)).toEqual(constantOf(wanted, name));
  expect(constants.map((c) => c.constant)).toEqual(['grid', 'stride']);
});

test.each<[string, string, InputShape, unknown]>([
  [
    'coordinates from 0 to 1',
    `(float[1,1,4,6] X) => (float[1,1,4,6] Y) <float[1,1,1,6] u = {${numbers(6, (i) => i / 5)}}> { Y = Add(X, u) }`,
    [1, 1, 4, 11],
    { u: Array.from({ length: 11 }, (_, i) => Math.fround(i / 10)) },
  ],
  [
    'cell centres between 0 and 1',
    `(float[1,1,4,4] X) => (float[1,1,4,4] Y) <float[1,1,4,1] v = {0.125,0.375,0.625,0.875}> { Y = Add(X, v) }`,
    [1, 1, 8, 4],
    { v: Array.from({ length: 8 }, (_, i) => (i + 0.5) / 8) },
  ],
  [
    'coordinates from -1 to 1',
    `(float[1,1,4,5] X) => (float[1,1,4,5] Y) <float[5] u = {-1,-0.5,0,0.5,1}> { Y = Add(X, u) }`,
    [1, 1, 4, 9],
    { u: [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1] },
  ],
  [
    'pixels of a stride',
    `(float[1,1,2,4] X) => (float[1,1,2,4] Y) <float[1,1,1,4] u = {4,12,20,28}> { Y = Add(X, u) }`,
    [1, 1, 2, 6],
    { u: [4, 12, 20, 28, 36, 44] },
  ],
  [
    'literal targets of an attention block',
    `(float[1,8,4,6] X) => (float[1,8,4,6] Y) <int64[4] heads = {1,2,4,24}, int64[4] map = {1,8,4,6}>
     { A = Reshape(X, heads) S = Softmax(A) Y = Reshape(S, map) }`,
    [1, 8, 6, 10],
    { heads: [1, 2, 4, 60], map: [1, 8, 6, 10] },
  ],
  [
    'a larger batch through literal targets',
    `(float[1,8,4,6] X) => (float[1,192] Y) <int64[3] a = {1,8,24}, int64[2] b = {1,192}>
     { A = Reshape(X, a) R = Relu(A) Y = Reshape(R, b) }`,
    [3, 8, 4, 6],
    { a: [3, 8, 24], b: [3, 192] },
  ],
  [
    'sizes of a Resize',
    `(float[1,1,4,6] X) => (float[1,1,8,12] Y) <int64[4] size = {1,1,8,12}> { Y = Resize<mode="nearest">(X, "", "", size) }`,
    [1, 1, 6, 10],
    { size: [1, 1, 12, 20] },
  ],
  [
    'bounds at the joints of a Concat',
    `(float[1,1,4,6] X) => (float[1,1,24] Y)
     <int64[3] flat = {1,1,-1}, int64[1] lo = {24}, int64[1] hi = {48}, int64[1] axis = {2}>
     { A = Reshape(X, flat) B = Neg(A) J = Concat<axis=2>(A, B) Y = Slice(J, lo, hi, axis) }`,
    [1, 1, 6, 10],
    { lo: [60], hi: [120] },
  ],
  [
    'parts of a Split along a joined axis',
    `(float[1,1,4,6] X) => (float[1,1,24] Y, float[1,1,6] Z)
     <int64[3] flat = {1,1,-1}, int64[2] parts = {24,6}>
     { A = Reshape(X, flat) P = MaxPool<kernel_shape=[2,2], strides=[2,2]>(X) B = Reshape(P, flat)
       J = Concat<axis=2>(A, B) Y, Z = Split<axis=2>(J, parts) }`,
    [1, 1, 8, 10],
    { parts: [80, 20] },
  ],
])('%s', async (_, text, shape, wanted) => {
  const { model } = await setInputShape(parseText(text), shape);

  for (const [name, data] of Object.entries(wanted as Record<string, number[]>)) {
    const { constant } = model.graph.initializers.find((v) => v.name === name)!;
    expect(numbersOf(constant!)).toEqual(data);
  }
  const session = await openSession(model);
  const data = new Float32Array((shape as number[]).reduce((n, d) => n * d, 1));
  await session.run({ X: { dims: shape as number[], data } });
});

test('a window over the whole map stays global', async () => {
  const text = `(float[1,2,7,7] X) => (float[1,2,1,1] Y) { Y = AveragePool<kernel_shape=[7,7]>(X) }`;

  expect(await outputDims(text, [1, 2, 10, 8])).toEqual([[1, 2, 1, 1]]);
});

test('open axes take their sizes, −1 leaves one open, and outputs say so', async () => {
  const text = '(float[N,3,H,W] X) => (float[N,3,H,W] Y) { Y = Relu(X) }';

  expect(await outputDims(text, [-1, 3, 32, 64])).toEqual([['N', 3, 32, 64]]);
  expect(await outputDims(text, { X: [2, 3, 32, 64] })).toEqual([[2, 3, 32, 64]]);
});

test('the exporter’s note of the size follows, other metadata stays', async () => {
  const model = parseText('(float[1,3,8,8] X) => (float[1,3,8,8] Y) { Y = Relu(X) }');
  model.metadata = { imgsz: '[8, 8]', names: '{}' };

  const reshaped = await setInputShape(model, [1, 3, 16, 24]);

  expect(reshaped.model.metadata).toEqual({ imgsz: '[16, 24]', names: '{}' });
});

const image = '(float[1,2,4,4] X)';

test.each<[string, string, InputShape, string]>([
  ['no such input', `${image} => (float[1,2,4,4] Y) { Y = Relu(X) }`, { Z: [1] }, "no input 'Z'"],
  ['another rank', `${image} => (float[1,2,4,4] Y) { Y = Relu(X) }`, [4, 4], 'has 2 axes'],
  ['a size of 0', `${image} => (float[1,2,4,4] Y) { Y = Relu(X) }`, [1, 2, 0, 4], 'not positive'],
  [
    'two inputs and one shape',
    '(float[2] A, float[2] B) => (float[2] Y) { Y = Add(A, B) }',
    [4],
    'give a shape by name',
  ],
  [
    'other channels',
    `${image} => (float[1,1,4,4] Y) <float[1,2,1,1] W = {0.5,2}> { ["first"] Y = Conv(X, W) }`,
    [1, 3, 4, 4],
    "node 'first' (Conv)",
  ],
  [
    'Flatten before Gemm',
    `${image} => (float[1,1] Y) <float[32,1] W = {${numbers(32)}}> { F = Flatten(X) ["head"] Y = Gemm(F, W) }`,
    [1, 2, 8, 8],
    "node 'head' (Gemm): its weight takes 32 values, and at the new size there are 128",
  ],
  [
    'a position embedding',
    `${image} => (float[1,16,2] Y)
     <int64[3] flat = {1,2,16}, float[1,16,2] position = {${numbers(32, (i) => Math.sin(i * i))}}>
     { A = Reshape(X, flat) T = Transpose<perm=[0,2,1]>(A) ["embed"] Y = Add(T, position) }`,
    [1, 2, 8, 8],
    "node 'embed' (Add): its constant 'position' [1,16,2] depends on the size",
  ],
  [
    'a split of a changed axis that could mean two things',
    `${image} => (float[2,2,8] Y) <int64[3] a = {1,2,16}, int64[3] b = {2,2,8}>
     { A = Reshape(X, a) ["windows"] Y = Reshape(A, b) }`,
    [1, 2, 8, 8],
    "node 'windows' (Reshape)",
  ],
  [
    'fixed positions along a changed axis',
    `${image} => (float[1,2,4,2] Y) <int64[2] picked = {1,3}> { ["pick"] Y = Gather<axis=3>(X, picked) }`,
    [1, 2, 4, 8],
    "node 'pick' (Gather)",
  ],
  [
    'a bound inside a changed axis',
    `${image} => (float[1,2,4,2] Y) <int64[1] lo = {2}, int64[1] hi = {4}, int64[1] axis = {3}>
     { ["half"] Y = Slice(X, lo, hi, axis) }`,
    [1, 2, 4, 8],
    "node 'half' (Slice)",
  ],
  [
    'a size that the graph cannot join',
    `(float[1,1,H,W] X) => (float[1,2,H,W] Y) <float[4] two = {1,1,2,2}>
     { P = MaxPool<kernel_shape=[2,2], strides=[2,2]>(X) U = Resize<mode="nearest">(P, "", two) Y = Concat<axis=1>(X, U) }`,
    [1, 1, 7, 8],
    'Concat',
  ],
])('refuses %s, by name', async (_, text, shape, message) => {
  await expect(setInputShape(parseText(text), shape)).rejects.toMatchObject({
    code: 'INPUT_SHAPE_UNSUPPORTED',
    message: expect.stringContaining(message),
  });
});
