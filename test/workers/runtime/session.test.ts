import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { freeResults, openSession } from '../../../workers/runtime/session.ts';
import { withOutputs } from '../../../workers/runtime/taps.ts';

const identity = (dtype: string) =>
  parseText(`(${dtype}[2] X) => (${dtype}[2] Y) { Y = Identity(X) }`);

test.each([
  ['float', 'float32', new Float32Array([1.5, -2])],
  ['double', 'float64', new Float64Array([1.5, -2])],
  // 1.5 and −2 as binary16.
  ['float16', 'float16', new Uint16Array([0x3e00, 0xc000])],
  ['bool', 'bool', new Uint8Array([1, 0])],
  ['int64', 'int64', new BigInt64Array([5n, -6n])],
  ['int32', 'int32', new Int32Array([5, -6])],
  ['uint8', 'uint8', new Uint8Array([5, 250])],
  ['int8', 'int8', new Int8Array([5, -6])],
] as const)('%s goes in and comes out', async (text, dtype, data) => {
  const session = await openSession(identity(text));

  const { Y } = await session.run({ X: { dims: [2], data, dtype } });

  expect(session.inputs).toEqual([{ name: 'X', dtype, shape: [2] }]);
  expect(Y).toEqual({ dtype, dims: [2], data });
});

test('open axes are named, and only the outputs asked for are computed', async () => {
  const model = parseText(
    '(float[N,3] X) => (float[N,3] Y, float[N,3] Z) { Y = Relu(X) Z = Neg(X) }',
  );
  const session = await openSession(model);

  const outputs = await session.run({ X: { dims: [1, 3], data: new Float32Array([1, 2, 3]) } }, [
    'Z',
  ]);

  expect(session.inputs[0]!.shape).toEqual(['N', 3]);
  expect(Object.keys(outputs)).toEqual(['Z']);
});

test.each([
  [
    'an unknown op',
    '(float[2] X) => (float[2] Y) { Y = ["bad/node"] Nonsense(X) }'.replace(
      'Y = ["bad/node"]',
      '["bad/node"] Y =',
    ),
    /Nonsense/,
  ],
  [
    'shapes that do not meet',
    '(float[2] X, float[3] Z) => (float[2] Y) { ["a/b/join"] Y = Add(X, Z) }',
    /a\/b\/join/,
  ],
])('%s: the runtime’s own words, node names and all', async (_, text, words) => {
  await expect(openSession(parseText(text))).rejects.toMatchObject({
    code: 'MODEL_CANNOT_RUN',
    message: expect.stringMatching(words),
  });
});

test('a wrong feed is an error of the model’s use, not a crash', async () => {
  const session = await openSession(identity('float'));

  const wrong = session.run({ Z: { dims: [2], data: new Float32Array(2) } });

  await expect(wrong).rejects.toMatchObject({ code: 'MODEL_CANNOT_RUN' });
});

const fourBits = `(float[2] X) => (float[2] Y) <float s = {0.5}, int4 z = {00}>
  { Q = QuantizeLinear(X, s, z) Y = DequantizeLinear(Q, s, z) }`;

test('4-bit values stay inside: as outputs they would abort the process', async () => {
  const model = parseText(fourBits);
  const tapped = parseText(fourBits);
  tapped.graph.outputs = [tapped.graph.nodes[0]!.outputs[0]!];

  await inferTypes(model);

  expect(withOutputs(model, ['Q', 'Y']).graph.outputs.map((v) => v.name)).toEqual(['Y']);
  await expect(openSession(tapped)).rejects.toMatchObject({ code: 'MODEL_CANNOT_RUN' });
  const declared = parseText('(int4[2] X) => (int4[2] Y) { Y = Identity(X) }');
  await expect(openSession(writeModel(declared))).rejects.toMatchObject({
    code: 'MODEL_CANNOT_RUN',
  });
});

test('types of inner values are exact, open axes included', async () => {
  const model = parseText(
    `(float[N,3,8,8] X) => (float[N,4] Y) <float[4,3,3,3] W = {${Array(108).fill('0.5').join()}}>
     { A = Conv<strides=[2,2], pads=[1,1,1,1]>(X, W) B = GlobalAveragePool(A) Y = Flatten(B) }`,
  );

  await inferTypes(model);

  const shapes = model.graph.nodes.map((n) => n.outputs[0]!.type);
  expect(shapes).toEqual([
    { kind: 'tensor', dtype: 'float32', shape: ['N', 4, 4, 4] },
    { kind: 'tensor', dtype: 'float32', shape: ['N', 4, 1, 1] },
    { kind: 'tensor', dtype: 'float32', shape: ['N', 4] },
  ]);
});

test('random inputs: the same for a seed, smooth pictures in 0…1, open axes closed', () => {
  const model = parseText(
    '(float[N,3,H,W] X, int64[4] I, bool[2] B) => (float[N,3,H,W] Y) { Y = Relu(X) }',
  );

  const [a, b, c] = [randomInputs(model, 1), randomInputs(model, 1), randomInputs(model, 2)];

  expect(a['X']!.dims).toEqual([1, 3, 224, 224]);
  expect(a).toEqual(b);
  expect(a['X']!.data).not.toEqual(c['X']!.data);
  const pixels = a['X']!.data as Float32Array;
  expect(pixels.every((x) => x >= 0 && x <= 1)).toBe(true);
  const steps = pixels.subarray(0, 224).map((x, i, row) => Math.abs(x - (row[i - 1] ?? x)));
  expect(Math.max(...steps)).toBeLessThan(0.1);
});

test('the memory of results is given back at once, and inputs stay whole', async () => {
  const session = await openSession(parseText('(float[n] X) => (float[n] Y) { Y = Neg(X) }'));
  const X = { dims: [1 << 22], data: new Float32Array(1 << 22).fill(2) };
  const before = process.memoryUsage.rss();

  for (let i = 0; i < 16; i++) {
    const results = await session.run({ X });
    expect(results['Y']!.data[7]).toBe(-2);
    freeResults(results);
    expect(results['Y']!.data).toHaveLength(0);
  }

  expect(X.data[7]).toBe(2);
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});
