/** @file Large tensors are summed up in the graph after some images: what is remembered is what whole tensors give. */

import { expect, test } from 'vitest';

import { calibrate } from '../../../workers/quantization/calibrate.ts';
import { Histogram } from '../../../workers/quantization/histogram.ts';
import type { QuantizedTensor } from '../../../workers/quantization/placement.ts';
import { type Feed, openSession } from '../../../workers/runtime/session.ts';
import { withOutputs } from '../../../workers/runtime/taps.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const SAMPLE = 2 ** 15;
const TAPS = ['H', 'R', 'M'];

/** H and R are large, M is small. */
const net = (side: number | string) =>
  modelOf(
    `(float[1,3,${side},${side}] X, float[8,3,3,3] W) => (float[1,8,1,1] M) {
      H = Conv<pads = [1, 1, 1, 1]>(X, W)
      R = Relu(H)
      M = GlobalAveragePool(R)
    }`,
    { W: randomWeight([8, 3, 3, 3], 1) },
  );

const image = (side: number, k: number, gain = 1 + (k % 7)): Record<string, Feed> => {
  const { data } = randomWeight([1, 3, side, side], k, gain);
  return { X: { dims: [1, 3, side, side], data: Float32Array.from(data) } };
};

async function observed(model: ReturnType<typeof net>, images: readonly Record<string, Feed>[]) {
  const tensors = TAPS.map(
    (name) => ({ value: { name }, activation: undefined }) as unknown as QuantizedTensor,
  );
  const feeds = (async function* () {
    yield* images;
  })();
  const { signal } = new AbortController();
  const options = { images: images.length, threads: 1, provider: 'cpu', signal, onImage() {} };
  return calibrate(model, tensors, feeds, options);
}

async function expected(model: ReturnType<typeof net>, images: readonly Record<string, Feed>[]) {
  const session = await openSession(withOutputs(model, TAPS));
  const histograms = new Map(TAPS.map((name) => [name, new Histogram()]));
  for (const feed of images)
    for (const [name, { data }] of Object.entries(await session.run(feed)))
      histograms.get(name)!.add(data as Float32Array, SAMPLE);
  await session.release();
  return histograms;
}

test('the same counts, extremes and averages as of whole tensors', async () => {
  const images = Array.from({ length: 40 }, (_, k) => image(96, k));

  const found = await observed(net(96), images);

  for (const [name, histogram] of await expected(net(96), images))
    expect(found.get(name)!.histogram, name).toEqual(histogram);
});

test('images of another size come after those by which sizes were learnt', async () => {
  const images = Array.from({ length: 20 }, (_, k) => image(k < 18 ? 80 : 128, k));

  const found = await observed(net('S'), images);

  for (const [name, histogram] of await expected(net('S'), images)) {
    const { min, max, averageMax } = found.get(name)!.histogram;
    expect({ min, max, averageMax }, name).toEqual({
      min: histogram.min,
      max: histogram.max,
      averageMax: histogram.averageMax,
    });
  }
});

test.each([
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus infinity', Number.NEGATIVE_INFINITY],
])('%s in an image after them is told by name', async (_, value) => {
  const images = Array.from({ length: 20 }, (_, k) => image(96, k));
  (images[19]!['X']!.data as Float32Array)[12_345] = value;

  await expect(observed(net(96), images)).rejects.toThrow(/'H'/);
});
