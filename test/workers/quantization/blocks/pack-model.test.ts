/** @file Weight-only precision: weights in blocks that the runtime reads back, Convs left alone. */

import { expect, test } from 'vitest';

import { checkModel } from '../../../../workers/onnx/check.ts';
import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { packModel } from '../../../../workers/quantization/blocks/pack-model.ts';
import { sqnr } from '../../../../workers/quantization/sqnr.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

const W = randomWeight([80, 24], 1);
const products: Record<string, Model> = {
  'MatMul, K no multiple of the block': modelOf(
    '(float[2,5,80] X, float[80,24] W) => (float[2,5,24] Y) { Y = MatMul(X, W) }',
    { W },
  ),
  'Gemm with a bias': modelOf(
    '(float[3,80] X, float[80,24] W, float[24] B) => (float[3,24] Y) { Y = Gemm(X, W, B) }',
    { W, B: randomWeight([24], 2) },
  ),
  'Gemm, weight transposed': modelOf(
    '(float[3,64] X, float[24,64] W) => (float[3,24] Y) { Y = Gemm<transB=1>(X, W) }',
    { W: randomWeight([24, 64], 3) },
  ),
  'two layers that share a weight': modelOf(
    '(float[3,40] X, float[40,40] W) => (float[3,40] Y) { H = MatMul(X, W) Y = MatMul(H, W) }',
    { W: randomWeight([40, 40], 4) },
  ),
};

async function answers(model: Model) {
  const session = await openSession(model);
  const { Y } = await session.run(randomInputs(model, 1));
  await session.release();
  return Y!.data as Float32Array;
}

const cases = Object.keys(products).flatMap((name) => [[name, 4] as const, [name, 8] as const]);

test.each(cases)('%s in %i bits', async (name, bits) => {
  const float = products[name]!;
  const model = cloneModel(float);

  const details = packModel(model, { precision: `weights-int${bits}`, bits, keepFloat: [] });

  checkModel(model);
  expect(details.packed).toHaveLength(float.graph.nodes.length);
  expect(model.graph.initializers.filter((v) => v.constant!.dtype === 'uint8')).toHaveLength(1);
  expect(model.graph.initializers.some((v) => v.name === 'W')).toBe(false);
  expect(sqnr(await answers(float), await answers(model))).toBeGreaterThan(bits === 4 ? 17 : 38);
});

test('a model of Convs has nothing to pack, and is told so', () => {
  const model = modelOf(
    '(float[1,8,9,9] X, float[16,8,3,3] W) => (float[1,16,7,7] Y) { Y = Conv(X, W) }',
    {
      W: randomWeight([16, 8, 3, 3], 1),
    },
  );

  expect(() => packModel(model, { precision: 'weights-int4', bits: 4, keepFloat: [] })).toThrow(
    expect.objectContaining({
      code: 'NOTHING_TO_QUANTIZE',
      message: expect.stringContaining('weights-int4'),
    }),
  );
});

test('what stays in float is listed with the reason', () => {
  const model = modelOf(
    '(float[1,80] X, float[80,24] W, float[24,2] V) => (float[1,2] Y) { H = MatMul(X, W) Y = MatMul(H, V) }',
    { W, V: randomWeight([24, 2], 5) },
  );

  expect(packModel(model, { precision: 'weights-int8', bits: 8, keepFloat: [] }).float).toEqual([
    { tensor: 'Y', op: 'MatMul', reason: expect.stringContaining('fewer than') },
  ]);
});
