/** @file Precision fp16: float16 inside, float32 at the ports, and float32 wherever float16 would overflow. */

import { expect, test } from 'vitest';

import type { ServiceError } from '../../../../src/contract/errors.ts';
import { checkModel } from '../../../../workers/onnx/check.ts';
import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { normalize } from '../../../../workers/onnx/normalize.ts';
import { halveModel } from '../../../../workers/quantization/half/halve-model.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';
import { countOps } from '../quantized.ts';

async function halved(float: Model, precision: 'fp16' | 'bf16' = 'fp16') {
  const seen = [0, 1].map((seed) => randomInputs(float, seed));
  const model = cloneModel(float);
  const details = await halveModel(model, {
    precision,
    feeds: async function* (from, to) {
      yield* seen.slice(from, to);
    },
    images: seen.length,
    threads: 1,
    provider: 'cpu',
    signal: new AbortController().signal,
    progress: () => {},
  });
  checkModel(model);
  return { model, details };
}

const W = randomWeight([6, 4, 3, 3], 1);
const X = 'float[1,4,10,10] X, float[6,4,3,3] W';

const models: Record<string, readonly [Model, islands: readonly string[]]> = {
  'Conv and SiLU': [
    modelOf(`(${X}) => (float[1,6,8,8] Y) { H = Conv(X, W) S = Sigmoid(H) Y = Mul(H, S) }`, { W }),
    [],
  ],
  'Resize, whose scales stay float32': [
    modelOf(
      `(${X}, float[4] K) => (float[1,6,16,16] Y) { H = Conv(X, W) Y = Resize<mode="nearest">(H, "", K) }`,
      { W, K: { dims: [4], data: [1, 1, 2, 2] } },
    ),
    [],
  ],
  'two readers, one in float16 and one an output': [
    modelOf(`(${X}) => (float[1,6,8,8] H, float[1,6,8,8] Y) { H = Conv(X, W) Y = Relu(H) }`, { W }),
    [],
  ],
  'a magnitude beyond float16': [
    modelOf(
      `(${X}, float[1] K) => (float[1,6,8,8] Y) { H = Conv(X, W) B = Mul(H, K) Y = Div(B, K) }`,
      { W, K: { dims: [1], data: [60000] } },
    ),
    ["'B' reaches", "'B' reaches"],
  ],
  'a constant beyond float16': [
    modelOf(`(${X}, float[1] K) => (float[1,6,8,8] Y) { H = Conv(X, W) Y = Max(H, K) }`, {
      W,
      K: { dims: [1], data: [-1e9] },
    }),
    ["its constant 'K' is beyond 65504"],
  ],
};

test.each(Object.entries(models))('%s', async (_, [float, islands]) => {
  const { model, details } = await halved(float);

  expect(details.sqnrDb).toBeGreaterThan(50);
  expect(details.islands.map((i) => i.reason)).toEqual(
    islands.map((why) => expect.stringContaining(why)),
  );
  expect(details.halfNodes).toBe(float.graph.nodes.length - islands.length);
  const ports = ({ graph }: Model) =>
    [...graph.inputs, ...graph.outputs].map((v) => [v.name, v.type]);
  expect(ports(model)).toEqual(ports(float));
  expect(model.graph.initializers.find((v) => v.name.startsWith('W'))!.constant!.dtype).toBe(
    'float16',
  );
});

test('a value is cast once, however many read it', async () => {
  const { model } = await halved(
    modelOf(`(${X}) => (float[1,6,8,8] Y) { H = Conv(X, W) G = Conv(X, W) Y = Add(H, G) }`, { W }),
  );

  expect(countOps(model, 'Cast')).toBe(2);
});

test('bf16: refused in words where the runtime has no kernels for it, else half the weights and no islands', async () => {
  const [model] = models['Conv and SiLU']!;
  const raised = cloneModel(model);
  normalize(raised, 22);

  const made = await halved(raised, 'bf16').catch((error: ServiceError) => error);

  if (made instanceof Error)
    expect(made).toMatchObject({
      code: 'PRECISION_CANNOT_RUN',
      message: expect.stringContaining("'bf16'"),
    });
  else expect(made.details).toMatchObject({ precision: 'bf16', islands: [] });
});
