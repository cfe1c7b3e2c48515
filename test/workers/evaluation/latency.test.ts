import { expect, test } from 'vitest';

import { medianInterval, pairedLatency, quantile } from '../../../workers/evaluation/latency.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

/** A stack of convolutions: the more, the slower. */
const stack = (convs: number, size: string) =>
  writeModel(
    modelOf(
      `(float[N, 8, ${size}] x, float[8, 8, 3, 3] w) => (float[N, 8, ${size}] y${convs}) {
        ${Array.from({ length: convs }, (_, i) => `y${i + 1} = Conv<pads=[1, 1, 1, 1]>(${i === 0 ? 'x' : `y${i}`}, w)`).join('\n')}
      }`,
      { w: randomWeight([8, 8, 3, 3], 1, 0.1) },
    ),
  );

test('a model with a fourth of the work is faster, and the same model is not', async () => {
  const [slow, fast, same] = await pairedLatency(
    [stack(16, '48, 48'), stack(4, '48, 48'), stack(16, '48, 48')],
    {
      pairs: 50,
      warmup: 5,
    },
  );

  expect(slow).toMatchObject({ speedup: 1, interval: [1, 1] });
  expect(slow!.times).toHaveLength(50);
  expect(fast!.speedup).toBeGreaterThan(2);
  expect(fast!.interval[0]).toBeLessThanOrEqual(fast!.speedup);
  expect(fast!.interval[1]).toBeGreaterThanOrEqual(fast!.speedup);
  expect(same!.speedup).toBeGreaterThan(0.7);
  expect(same!.speedup).toBeLessThan(1.4);
  expect(slow!.latency.p95).toBeGreaterThanOrEqual(slow!.latency.median);
});

test('open axes take the size given, and progress counts every round', async () => {
  const seen: number[] = [];
  const sizes = { pairs: 2, warmup: 1, inputSize: [16, 24] as const };

  await pairedLatency([stack(1, 'H, W')], { ...sizes, onProgress: (done) => seen.push(done) });

  expect(seen).toEqual([1, 2, 3]);
});

test('a cancelled measurement stops', async () => {
  const signal = AbortSignal.abort(new Error('cancelled'));

  await expect(pairedLatency([stack(1, '8, 8')], { signal })).rejects.toThrow('cancelled');
});

test.each([
  [[5], 0.5, 5],
  [[1, 2, 3, 4], 0.5, 2.5],
  [[4, 1, 3, 2, 5], 0.95, 4.8],
])('quantile of %j at %d is %d', (values, q, expected) => {
  expect(quantile(values, q)).toBeCloseTo(expected, 12);
});

test('the interval of a median holds the true median 19 times in 20', () => {
  let state = 12345;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const trials = Array.from({ length: 2000 }, () => {
    const [low, high] = medianInterval(Array.from({ length: 50 }, () => Math.exp(next())));
    return low <= Math.exp(0.5) && Math.exp(0.5) <= high;
  });

  const held = trials.filter(Boolean).length / trials.length;
  expect(held).toBeGreaterThan(0.94);
  expect(held).toBeLessThan(0.985);
});
