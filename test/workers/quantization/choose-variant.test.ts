/** @file Biases with and without the mean error of rounded weights: the better of the two on held-out images stays. */

import { expect, test } from 'vitest';
import { cloneModel } from '../../../workers/onnx/clone.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';
import { chooseVariant } from '../../../workers/quantization/choose-variant.ts';
import { insertQdq } from '../../../workers/quantization/insert-qdq.ts';
import { asymmetric } from '../../../workers/quantization/scale.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const float = modelOf(
  '(float[1,8,6,6] X, float[4,8,3,3] W, float[4] B) => (float[1,4,4,4] Y) { Y = Conv(X, W, B) }',
  { W: randomWeight([4, 8, 3, 3], 1), B: randomWeight([4], 2) },
);

/** Every channel of X is `mean`, and a little more or less. */
const around = (mean: number) => ({
  X: {
    dims: [1, 8, 6, 6],
    data: Float32Array.from({ length: 288 }, (_, i) => mean + 0.01 * Math.sin(i)),
  },
});

async function decided(assumedMean: number, trueMean: number) {
  const model = cloneModel(float);
  const [x] = model.graph.inputs;
  const quantizer = asymmetric(0, 12, 'uint8');
  const { biases } = insertQdq(
    model.graph,
    [...model.graph.nodes],
    [{ value: x!, activation: undefined, readers: 'all' }],
    new Map([[x!, quantizer]]),
    {
      weights: { format: 'int8', range: 'max', reduceRange: true },
      biases: 'int32',
      means: new Map([[x!, new Float64Array(8).fill(assumedMean)]]),
    },
  );
  const [bias] = biases;
  const stored = { plain: bias!.as(bias!.plain), corrected: bias!.as(bias!.corrected!) };
  const variants = {
    plain: new Map([[bias!.value, stored.plain]]),
    corrected: new Map([[bias!.value, stored.corrected]]),
  };
  const choice = await chooseVariant(float, model, variants, () => each([around(trueMean)]), {
    threads: 1,
    provider: 'cpu',
    signal: new AbortController().signal,
  });
  return { choice, value: bias!.value, stored };
}

async function* each<T>(items: readonly T[]) {
  yield* items;
}

test('a correction for means that hold is kept', async () => {
  const { choice, value, stored } = await decided(10, 10);

  expect(choice.kept).toBe('corrected');
  expect(choice.sqnrDb.corrected).toBeGreaterThan(choice.sqnrDb.plain + 3);
  expect(value.constant).toBe(stored.corrected);
});

test('a correction for means that do not hold is dropped, and the plain codes are in the model', async () => {
  const { choice, value, stored } = await decided(10, 0);

  expect(choice.kept).toBe('plain');
  expect(value.constant).toBe(stored.plain);
  expect(numbersOf(stored.plain)).not.toEqual(numbersOf(stored.corrected));
});
