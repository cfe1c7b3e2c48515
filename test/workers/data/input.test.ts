import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';

import type { Preprocess } from '../../../src/contract/preprocess.ts';
import { place, toImage, toInput } from '../../../workers/data/geometry.ts';
import { loadInput } from '../../../workers/data/input.ts';
import { roundHalfEven } from '../../../workers/onnx/round.ts';
import { testFolder } from '../../helpers/image-folder.ts';

const plain: Preprocess = {
  channels: 'rgb',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  resize: 'letterbox',
  pad: 114,
};

/** 4 × 2 pixels; the red of a pixel is 10·column + 100·row, green 1, blue 2. */
async function sample() {
  const pixels = Array.from({ length: 8 }, (_, i) => [
    10 * (i % 4) + 100 * Math.floor(i / 4),
    1,
    2,
  ]);
  const file = join(await testFolder(), 'a.png');
  const image = sharp(Uint8Array.from(pixels.flat()), {
    raw: { width: 4, height: 2, channels: 3 },
  });
  await writeFile(file, await image.png().toBuffer());
  return { file, name: 'a.png' };
}

const red = (data: Float32Array, width: number) =>
  Array.from({ length: data.length / 3 / width }, (_, y) => [
    ...data.subarray(y * width, (y + 1) * width),
  ]);

const resizes: Readonly<
  Record<
    string,
    readonly [Preprocess['resize'], readonly [number, number], readonly (readonly number[])[]]
  >
> = {
  'letterbox: border split evenly': [
    'letterbox',
    [4, 4],
    [
      [114, 114, 114, 114],
      [0, 10, 20, 30],
      [100, 110, 120, 130],
      [114, 114, 114, 114],
    ],
  ],
  'letterbox-topleft: border below': [
    'letterbox-topleft',
    [4, 4],
    [
      [0, 10, 20, 30],
      [100, 110, 120, 130],
      [114, 114, 114, 114],
      [114, 114, 114, 114],
    ],
  ],
  'center-crop: the middle': [
    'center-crop',
    [2, 2],
    [
      [10, 20],
      [110, 120],
    ],
  ],
  'stretch: each axis by itself': [
    'stretch',
    [2, 2],
    [
      [5, 25],
      [105, 125],
    ],
  ],
  'half size: no anti-aliasing': ['letterbox', [1, 2], [[55, 75]]],
};

test.each(Object.entries(resizes))('%s', async (_, [resize, size, expected]) => {
  const { data, dims } = await loadInput(await sample(), { ...plain, resize }, size);

  expect(dims).toEqual([1, 3, ...size]);
  expect(red(data, size[1])!.slice(0, size[0])).toEqual(expected);
});

test('x = (pixel · scale − mean) / std, channel by channel', async () => {
  const preprocess = { ...plain, scale: 0.5, mean: [1, 2, 3], std: [2, 4, 8] };

  const { data } = await loadInput(await sample(), preprocess, [2, 4]);

  expect([data[1], data[8], data[16]]).toEqual([(5 - 1) / 2, (0.5 - 2) / 4, (1 - 3) / 8]);
});

test('bgr puts blue first, and mean belongs to the input channel', async () => {
  const { data } = await loadInput(
    await sample(),
    { ...plain, channels: 'bgr', mean: [1, 0, 0] },
    [2, 4],
  );

  expect([data[0], data[8], data[17]]).toEqual([2 - 1, 1, 10]);
});

test('one channel is luminance', async () => {
  const { data, dims } = await loadInput(await sample(), plain, [2, 4], 1);

  expect(dims).toEqual([1, 1, 2, 4]);
  expect(data[7]).toBe(Math.round(0.299 * 130 + 0.587 + 0.228));
});

test.each(['letterbox', 'letterbox-topleft', 'stretch', 'center-crop'] as const)(
  'boxes go into the input of %s and back',
  (resize) => {
    const g = place(resize, [371, 523], [320, 416]);
    const box = [100, 90, 300, 280] as const;

    for (const [i, v] of toImage(g, toInput(g, box)).entries()) expect(v).toBeCloseTo(box[i]!, 9);
  },
);

test('a very long image keeps at least one pixel across', () => {
  expect(place('letterbox', [5000, 1], [64, 64])).toMatchObject({ width: 1, height: 64, left: 31 });
});

test.each([
  [0.5, 0],
  [1.5, 2],
  [2.5, 2],
  [-0.5, -0],
  [-1.5, -2],
  [0.49, 0],
  [0.51, 1],
])('%d rounds to %d', (x, rounded) => {
  expect(roundHalfEven(x) + 0).toBe(rounded + 0);
});
