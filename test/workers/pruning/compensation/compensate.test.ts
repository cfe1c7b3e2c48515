/** @file Least-squares compensation on small networks that are cut by hand. */

import { expect, test } from 'vitest';

import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { makeTensor, numbersOf } from '../../../../workers/onnx/values.ts';
import { compensate } from '../../../../workers/pruning/compensation/compensate.ts';
import { compensateChannels } from '../../../../workers/pruning/compensation/compensate-channels.ts';
import { random } from '../../../../workers/runtime/random.ts';
import { type Feed, openSession } from '../../../../workers/runtime/session.ts';
import { modelOf, randomWeight, type Weight } from '../../../helpers/tiny-model.ts';

type Feeds = Readonly<Record<string, Feed>>;

const IMAGES = 12;
const options = {
  ...{ images: IMAGES, heldOut: 3, patches: 1200, threads: 1 },
  signal: new AbortController().signal,
  progress: () => {},
};

/** A network whose value H has six channels, the last of which is to be cut. */
interface Case {
  readonly text: string;
  readonly input: readonly number[];
  readonly weights: Readonly<Record<string, Weight>>;
  /** Constants that own a part of H's channels, and the axis. */
  readonly cut: Readonly<Record<string, number>>;
}

const CHANNELS = 6;
const kept = Array.from({ length: CHANNELS - 1 }, (_, i) => i);

const maker = (dims: readonly number[], axis: number): Weight =>
  dependent(randomWeight(dims, 3), axis);

/** Entry 5 along the axis is ½ · entry 0 + entry 2. */
function dependent({ dims, data }: Weight, axis: number): Weight {
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const out = Float32Array.from(data);
  for (let i = 0; i < out.length; i++) {
    const k = Math.floor(i / inner) % CHANNELS;
    if (dims[axis] === CHANNELS && k === CHANNELS - 1)
      out[i] = 0.5 * out[i - 5 * inner]! + out[i - 3 * inner]!;
  }
  return { dims, data: out };
}

const CONV: Omit<Case, 'text' | 'weights'> = {
  input: [1, 3, 9, 9],
  cut: { A: 0, a: 0, B: 1 },
};
const first = { A: maker([6, 3, 1, 1], 0), a: maker([6], 0) };

const cases: Readonly<Record<string, Case>> = {
  'Conv 3×3, stride 2, padded': {
    ...CONV,
    text: `(float[1,3,9,9] X, float[6,3,1,1] A, float[6] a, float[4,6,3,3] B, float[4] b) => (float[1,4,5,5] Y) {
      H = Conv(X, A, a)
      Y = Conv<strides=[2, 2], pads=[1, 1, 1, 1]>(H, B, b) }`,
    weights: { ...first, B: randomWeight([4, 6, 3, 3], 5), b: randomWeight([4], 6) },
  },
  'Conv, dilated, without a bias, two of them on one input': {
    ...CONV,
    text: `(float[1,3,9,9] X, float[6,3,1,1] A, float[6] a, float[4,6,3,3] B, float[2,6,3,3] C) => (float[1,6,5,5] Y) {
      H = Conv(X, A, a)
      P = Conv<dilations=[2, 2]>(H, B)
      Q = Conv<dilations=[2, 2]>(H, C)
      Y = Concat<axis=1>(P, Q) }`,
    weights: { ...first, B: randomWeight([4, 6, 3, 3], 5), C: randomWeight([2, 6, 3, 3], 6) },
    cut: { A: 0, a: 0, B: 1, C: 1 },
  },
  Gemm: {
    text: `(float[8,5] X, float[5,6] A, float[6] a, float[4,6] B, float[4] b) => (float[8,4] Y) {
      H = Gemm(X, A, a)
      Y = Gemm<transB=1, alpha=2.0>(H, B, b) }`,
    input: [8, 5],
    weights: {
      A: maker([5, 6], 1),
      a: maker([6], 0),
      B: randomWeight([4, 6], 5),
      b: randomWeight([4], 6),
    },
    cut: { A: 1, a: 0, B: 1 },
  },
  'MatMul over tokens, a bias added after it': {
    text: `(float[2,8,5] X, float[5,6] A, float[6] a, float[6,4] B, float[4] b) => (float[2,8,4] Y) {
      P = MatMul(X, A)
      H = Add(P, a)
      Q = MatMul(H, B)
      Y = Add(Q, b) }`,
    input: [2, 8, 5],
    weights: {
      A: maker([5, 6], 1),
      a: maker([6], 0),
      B: randomWeight([6, 4], 5),
      b: randomWeight([4], 6),
    },
    cut: { A: 1, a: 0, B: 0 },
  },
};

test.each(Object.entries(cases))(
  '%s: recovers a channel that is a linear combination of kept ones',
  async (_, { text, input, weights, cut }) => {
    const original = modelOf(text, weights);
    const pruned = cutLast(original, cut);

    const { model, layers } = await compensate(
      original,
      pruned,
      pairsOf(original, pruned),
      feedsOf(input),
      options,
    );

    const fitted = layers.filter(({ ridge }) => ridge !== null);
    expect(fitted.length).toBeGreaterThan(0);
    for (const { before, after } of layers) expect(after).toBeLessThanOrEqual(before);
    const error = await relativeError(original, model, input);
    expect(await relativeError(original, pruned, input)).toBeGreaterThan(0.1);
    expect(error).toBeLessThan(0.01);
  },
);

test.each(Object.entries(cases))(
  '%s: the regression of channels recovers it too',
  async (_, { text, input, weights, cut }) => {
    const original = modelOf(text, weights);
    const pruned = cutLast(original, cut);

    const { model, layers } = await compensateChannels(
      original,
      pruned,
      pairsOf(original, pruned),
      feedsOf(input),
      options,
    );

    expect(layers.map(({ ridge, after }) => [ridge, after < 1e-4])).toEqual(
      layers.map(() => [0.001, true]),
    );
    // Where a layer pads, the constant of the regression reaches over the border.
    expect(await relativeError(original, model, input)).toBeLessThan(0.06);
  },
);

const RELU = `(float[1,3,8,8] X, float[6,3,3,3] A, float[6] a, float[6,1,3,3] D, float[6] d, float[4,6,1,1] B) => (float[1,4,8,8] Y) {
  H = Conv<pads=[1, 1, 1, 1]>(X, A, a)
  R = Relu(H)
  E = Conv<pads=[1, 1, 1, 1], group=6>(R, D, d)
  S = Relu(E)
  Y = Conv(S, B) }`;

test('depth-wise and pointwise layers after activation functions: never worse on images of neither set', async () => {
  const original = modelOf(RELU, {
    ...{
      A: randomWeight([6, 3, 3, 3], 1),
      a: randomWeight([6], 2),
      D: randomWeight([6, 1, 3, 3], 3),
    },
    ...{ d: randomWeight([6], 4), B: randomWeight([4, 6, 1, 1], 5) },
  });
  const pruned = cutLast(original, { A: 0, a: 0, D: 0, d: 0, B: 1 });
  const depthwise = pruned.graph.nodes.find((n) => n.attributes['group'])!;
  depthwise.attributes['group'] = { type: 'int', value: CHANNELS - 1 };

  const { model, layers } = await compensate(
    original,
    pruned,
    pairsOf(original, pruned),
    feedsOf([1, 3, 8, 8]),
    options,
  );

  // The first layer reads what it always read; the depth-wise one lost a channel and no other noticed.
  expect(layers.map(({ ridge, before }) => [ridge === null, before < 1e-6])).toEqual([
    [true, true],
    [false, false],
  ]);
  const [was, is] = [
    await relativeError(original, pruned, [1, 3, 8, 8]),
    await relativeError(original, model, [1, 3, 8, 8]),
  ];
  expect(is).toBeLessThan(was);
});

test('what is kept between layers is bounded, and the result does not depend on it', async () => {
  const { text, input, weights, cut } = cases['Conv 3×3, stride 2, padded']!;
  const original = modelOf(text, weights);
  const pruned = cutLast(original, cut);
  const run = (memory: number) =>
    compensate(original, pruned, pairsOf(original, pruned), feedsOf(input), { ...options, memory });

  const [roomy, tight] = [await run(2 ** 26), await run(0)];

  expect(tight.layers).toEqual(roomy.layers);
});

test('stops when it is told to', async () => {
  const { text, input, weights, cut } = cases['Gemm']!;
  const original = modelOf(text, weights);
  const pruned = cutLast(original, cut);

  await expect(
    compensate(original, pruned, pairsOf(original, pruned), feedsOf(input), {
      ...options,
      signal: AbortSignal.abort(),
    }),
  ).rejects.toThrow(/abort/i);
});

/** The model without entry 5 of the given axes. */
function cutLast(original: Model, cut: Readonly<Record<string, number>>): Model {
  const model = cloneModel(original);
  for (const value of model.graph.initializers) {
    const axis = cut[value.name];
    if (axis === undefined) continue;
    const { dims } = value.constant!;
    const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
    const numbers = numbersOf(value.constant!).filter(
      (_, i) => Math.floor(i / inner) % CHANNELS !== CHANNELS - 1,
    );
    const shape = dims.map((d, i) => (i === axis ? d - 1 : d));
    value.constant = makeTensor('float32', shape, numbers);
    value.type = { kind: 'tensor', dtype: 'float32', shape };
  }
  return model;
}

/** Every layer, with the channels that it has left. */
function pairsOf(original: Model, pruned: Model) {
  return original.graph.nodes.flatMap((node, i) => {
    const after = pruned.graph.nodes[i]!;
    if (!/Conv|Gemm|MatMul/.test(node.op)) return [];
    const outputs = node.op === 'Conv' || node.attributes['transB'] ? 0 : 1;
    const left = (axis: number) => {
      const [was, is] = [node, after].map((n) => n.inputs[1]!.constant!.dims[axis]!);
      return is! < was! ? kept : Array.from({ length: was! }, (_, c) => c);
    };
    return [
      { original: node, pruned: after, keptOutputs: left(outputs), keptInputs: left(1 - outputs) },
    ];
  });
}

const inputs = (dims: readonly number[], seed: number): Feeds => {
  const rng = random(seed);
  const size = dims.reduce((n, d) => n * d, 1);
  return { X: { dims, data: Float32Array.from({ length: size }, rng.normal) } };
};

const feedsOf = (dims: readonly number[]) =>
  async function* () {
    for (let i = 0; i < IMAGES; i++) yield inputs(dims, i);
  };

/** ‖a − b‖ / ‖a‖ of the outputs on inputs that the fit has not seen. */
async function relativeError(a: Model, b: Model, dims: readonly number[]): Promise<number> {
  const [x, y] = [await openSession(a), await openSession(b)];
  let [error, energy] = [0, 0];
  for (let seed = 100; seed < 108; seed++) {
    const feeds = inputs(dims, seed);
    const [p, q] = [await x.run(feeds), await y.run(feeds)];
    for (const [i, v] of (p['Y']!.data as Float32Array).entries()) {
      error += (v - Number(q['Y']!.data[i])) ** 2;
      energy += v ** 2;
    }
  }
  await x.release();
  await y.release();
  return Math.sqrt(error / energy);
}
