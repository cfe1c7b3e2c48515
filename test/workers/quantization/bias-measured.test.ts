/** @file What rounding adds to each channel on average is measured layer by layer, and goes out of the biases. */

import { expect, test } from 'vitest';

import { cloneModel } from '../../../workers/onnx/clone.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { measuredBiases } from '../../../workers/quantization/bias-measured.ts';
import { survey } from '../../../workers/quantization/survey.ts';
import { writeSurvey } from '../../../workers/quantization/write-survey.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { int8Options } from './quantized.ts';

/** Two layers; the second sees numbers far from zero, so that roundings of its weights add up. */
const float = modelOf(
  `(float[1,4,12,12] X, float[8,4,3,3] W, float[8] A, float[6,8,1,1] V, float[6] B, float[1] P) => (float[1,6,10,10] Y) {
     H = Conv(X, W, A) S = Sigmoid(H) M = Mul(H, S) T = Add(M, P) Y = Conv(T, V, B) }`,
  {
    ...{ W: randomWeight([8, 4, 3, 3], 1), A: randomWeight([8], 2) },
    ...{ V: randomWeight([6, 8, 1, 1], 3), B: randomWeight([6], 4), P: { dims: [1], data: [20] } },
  },
);
const seen = Array.from({ length: 8 }, (_, i) => randomInputs(float, i));
const context = { threads: 1, provider: 'cpu', signal: new AbortController().signal };

async function* feeds(from?: number, to?: number) {
  yield* seen.slice(from, to);
}

/** Mean of each channel of Y over all images. */
async function means(model: Model): Promise<number[]> {
  const session = await openSession(model, { optimize: 'disabled' });
  const sums = new Array<number>(6).fill(0);
  for (const feed of seen) {
    const { data } = (await session.run(feed))['Y']!;
    for (let i = 0; i < data.length; i++) sums[Math.floor(i / 100)]! += Number(data[i]) / 800;
  }
  await session.release();
  return sums;
}

test.each(['onnxruntime-cpu', 'generic', 'openvino'] as const)(
  '%s: channel means come back to those of the float model',
  async (profile) => {
    const surveyed = cloneModel(float);
    const options = await int8Options({ profile, feeds, images: seen.length });
    const found = await survey(surveyed, options);
    const quantized = cloneModel(surveyed);
    const { biases } = writeSurvey(quantized, found, options).inserted;
    const fill = (of: (b: (typeof biases)[number]) => Float32Array) => {
      for (const b of biases) b.value.constant = b.as(of(b));
    };
    const truth = await means(float);
    const off = async () => (await means(quantized)).map((m, c) => Math.abs(m - truth[c]!));

    fill((b) => b.plain);
    const before = Math.max(...(await off()));
    const measured = await measuredBiases(surveyed, quantized, biases, feeds(), context);
    fill((b) => measured.get(b)!);

    expect(biases.map((b) => b.output)).toEqual(['H', 'Y']);
    expect(before).toBeGreaterThan(0.02);
    expect(Math.max(...(await off()))).toBeLessThan(before / 4);
  },
);
