/** @file Rounding by switches is the rounding of the quantized file; what harms most leaves 8 bits first. */

import { expect, test } from 'vitest';

import { checkModel } from '../../../../workers/onnx/check.ts';
import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { quantizeMixed } from '../../../../workers/quantization/mixed/quantize-mixed.ts';
import { sensitivityOf } from '../../../../workers/quantization/mixed/sensitivity.ts';
import { switchable } from '../../../../workers/quantization/mixed/switchable.ts';
import { sqnr } from '../../../../workers/quantization/sqnr.ts';
import { survey } from '../../../../workers/quantization/survey.ts';
import { writeSurvey } from '../../../../workers/quantization/write-survey.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { type Feed, openSession } from '../../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';
import { int8Options } from '../quantized.ts';

/** How much louder one channel is than the others. */
const LOUD = 30;

/** Of three layers the middle one is harmed most: its input has one channel that is far louder than the others. */
const spiked = (): Model =>
  modelOf(
    `<opset_import: ["" : 21]> g (float[1,4,12,12] X, float[4,4,3,3] W, float[1,4,1,1] M, float[4,4,3,3] U, float[6,4,1,1] V) => (float[1,6,8,8] Y) {
       H = Conv(X, W) R = Relu(H) S = Mul(R, M) A = Conv(S, U) B = Relu(A) Y = Conv(B, V) }`,
    {
      W: randomWeight([4, 4, 3, 3], 1),
      M: { dims: [1, 4, 1, 1], data: [1, 1, 1, LOUD] },
      U: {
        dims: [4, 4, 3, 3],
        data: randomWeight([4, 4, 3, 3], 2).data,
      },
      V: randomWeight([6, 4, 1, 1], 3),
    },
  );

/** The weights that read the loud channel are as small as it is loud. */
function quietened(model: Model): Model {
  const u = model.graph.initializers.find((v) => v.name === 'U')!;
  const data = new Float32Array(u.constant!.bytes.slice().buffer);
  for (let i = 0; i < data.length; i++) if (Math.floor(i / 9) % 4 === 3) data[i]! /= LOUD;
  u.constant = Object.assign(Object.create(Object.getPrototypeOf(u.constant)), u.constant, {
    bytes: new Uint8Array(data.buffer),
  });
  return model;
}

const model = quietened(spiked());
const seen = Array.from({ length: 4 }, (_, i) => randomInputs(model, i));
async function* each(from?: number, to?: number) {
  yield* seen.slice(from, to);
}

async function outputOf(m: Model, feeds: Record<string, Feed>): Promise<Float32Array> {
  const session = await openSession(m, { optimize: 'basic' });
  const { Y } = await session.run(feeds);
  await session.release();
  return Y!.data as Float32Array;
}

async function prepared(profile: 'onnxruntime-cpu' | 'generic' | 'qnn') {
  const options = await int8Options({ profile, feeds: each, images: seen.length });
  const float = cloneModel(model);
  const found = await survey(float, options);
  const quantized = cloneModel(float);
  const written = writeSurvey(quantized, found, options);
  const wanted = new Set(written.placement.tensors.map(({ value }) => value.name));
  const tensors = found.tensors.filter(({ value }) => wanted.has(value.name));
  const switches = switchable(float, tensors, written.quantizers, written.inserted.weights);
  return { options, float, quantized, switches };
}

test.each(['onnxruntime-cpu', 'generic', 'qnn'] as const)(
  '%s: no switch on is the float model, all on is the quantized one',
  async (profile) => {
    const { float, quantized, switches } = await prepared(profile);
    const feed = seen[0]!;

    const off = await outputOf(switches.model, { ...feed, ...switches.feeds(new Set()) });
    const on = await outputOf(switches.model, {
      ...feed,
      ...switches.feeds(new Set(switches.sites)),
    });

    checkModel(switches.model);
    expect(sqnr(await outputOf(float, feed), off)).toBeGreaterThan(120);
    // Codes on the edge between two fall either way.
    expect(sqnr(await outputOf(quantized, feed), on)).toBeGreaterThan(40);
  },
);

test('the tensor with one loud channel and what reads it harm most', async () => {
  const { float, switches, options } = await prepared('generic');

  const found = await sensitivityOf(float, switches, each(), seen.length, {
    ...options,
    onSite: () => {},
  });

  expect(found.slice(0, 2).map((s) => `${s.kind} ${s.tensor}`)).toEqual([
    'weights A',
    'activation S',
  ]);
  expect(found).toHaveLength(switches.sites.length);
  expect(found.every((s, i) => i === 0 || s.harm <= found[i - 1]!.harm)).toBe(true);
});

/** Agreement: what noise leaves of the output. */
const judge = async (m: Model) => {
  const db = sqnr(await outputOf(model, seen[3]!), await outputOf(m, seen[3]!));
  return { agreement: 1 - 10 ** (-db / 20), drop: null };
};

test.each([
  ['onnxruntime-cpu', 'float'],
  ['qnn', '16 bit'],
] as const)('%s: what leaves 8 bits goes to %s', async (profile, to) => {
  const options = await int8Options({ profile, feeds: each, images: seen.length });
  const result = cloneModel(model);

  const { mixed, convMacs8bit, sensitivities } = await quantizeMixed(result, {
    ...options,
    judge,
    budget: { minAgreement: 0.98 },
  });

  checkModel(result);
  expect(sensitivities.filter((s) => s.harm === 0)).toEqual([]);
  expect(mixed.held).toBe(true);
  expect(mixed.flips.map((f) => f.to)).toContain(to);
  expect(mixed.flips.length).toBeLessThan(5);
  expect(convMacs8bit).toBeLessThan(1);
  expect(convMacs8bit).toBeGreaterThan(0);
  expect(mixed.pareto[0]).toMatchObject({ flips: 0, convMacs8bit: 1, held: false });
  expect((await judge(result)).agreement).toBeGreaterThan(0.98);
});

test('a budget that holds from the start flips nothing; one that cannot hold is told', async () => {
  const options = await int8Options({ feeds: each, images: seen.length });

  const easy = await quantizeMixed(cloneModel(model), {
    ...options,
    judge,
    budget: { minAgreement: -1 },
  });
  const hard = await quantizeMixed(cloneModel(model), {
    ...options,
    judge,
    budget: { minAgreement: 1 },
  });

  expect(easy.mixed.flips).toEqual([]);
  expect(easy.mixed.pareto).toHaveLength(1);
  expect(hard.mixed.held).toBe(false);
  expect(hard.warnings.join()).toContain('minAgreement 1');
});
