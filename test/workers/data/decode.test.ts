import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';

import { decodeImage, imageSize } from '../../../workers/data/decode.ts';
import { plainImage, testFolder } from '../../helpers/image-folder.ts';

async function decoded(bytes: Uint8Array) {
  const file = join(await testFolder(), 'image.jpg');
  await writeFile(file, bytes);
  return decodeImage(file, 'image.jpg');
}

const close = (found: Uint8Array, expected: readonly number[], tolerance: number) =>
  expect(Math.max(...expected.map((v, i) => Math.abs(v - found[i]!)))).toBeLessThanOrEqual(
    tolerance,
  );

const raw = (
  data: Uint8Array,
  [width, height, channels]: readonly [number, number, 1 | 2 | 3 | 4],
) => sharp(data, { raw: { width, height, channels } });

/** 2 × 1: what is left and what is right tell an upright image from a turned one. */
const redBlue = Uint8Array.from([255, 0, 0, 0, 0, 255]);

const kinds: Readonly<Record<string, readonly [() => Promise<Buffer>, readonly number[], number]>> =
  {
    JPEG: [() => plainImage('jpeg'), [200, 100, 50], 2],
    'PNG, named .jpg': [() => plainImage('png'), [200, 100, 50], 0],
    WebP: [() => plainImage('webp'), [200, 100, 50], 6],
    'gray PNG': [() => raw(Uint8Array.of(90), [1, 1, 1]).png().toBuffer(), [90, 90, 90], 0],
    'gray JPEG': [
      () => raw(new Uint8Array(64).fill(90), [8, 8, 1]).toColourspace('b-w').jpeg().toBuffer(),
      [90, 90, 90],
      1,
    ],
    'alpha is dropped, not blended': [
      () =>
        raw(Uint8Array.of(200, 100, 50, 0), [1, 1, 4])
          .png()
          .toBuffer(),
      [200, 100, 50],
      0,
    ],
    '16 bit is cut to its high byte': [
      () =>
        sharp(Uint16Array.of(0xc8ff, 0x6400, 0x3280), { raw: { width: 1, height: 1, channels: 3 } })
          .toColourspace('rgb16')
          .png()
          .toBuffer(),
      [200, 100, 50],
      1,
    ],
    CMYK: [
      () =>
        plainImage('png', [16, 16], { r: 250, g: 250, b: 250 }).then((png) =>
          sharp(png).toColourspace('cmyk').jpeg().toBuffer(),
        ),
      [250, 250, 250],
      12,
    ],
  };

test.each(Object.entries(kinds))('%s becomes RGB', async (_, [make, pixel, tolerance]) => {
  const image = await decoded(await make());

  expect(image.data).toHaveLength(image.width * image.height * 3);
  close(image.data, pixel, tolerance);
});

test.each([
  [1, [255, 0, 0], [2, 1]],
  [2, [0, 0, 255], [2, 1]],
  [3, [0, 0, 255], [2, 1]],
  [6, [255, 0, 0], [1, 2]],
  [8, [0, 0, 255], [1, 2]],
] as const)('EXIF orientation %i is applied', async (orientation, first, size) => {
  const bytes = await raw(redBlue, [2, 1, 3]).png().withMetadata({ orientation }).toBuffer();
  const image = await decoded(bytes);

  expect([image.width, image.height]).toEqual(size);
  close(image.data, first, 0);
});

test('a 1 × 1 image is an image', async () => {
  expect(await decoded(await plainImage('png', [1, 1]))).toMatchObject({ width: 1, height: 1 });
});

const photo = () =>
  sharp({
    create: {
      width: 200,
      height: 200,
      channels: 3,
      background: '#888',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  })
    .jpeg()
    .toBuffer();

const unreadable: Readonly<Record<string, readonly [() => Promise<Uint8Array>, string]>> = {
  'an empty file': [async () => new Uint8Array(), 'it is empty'],
  'random bytes': [
    async () => new Uint8Array(500).map((_, i) => (i * 7919) % 251),
    'no JPEG, PNG or WebP',
  ],
  'a JPEG cut short': [async () => (await photo()).subarray(0, 5000), 'its data is damaged'],
  'a PNG cut short': [
    async () => (await plainImage('png', [300, 300])).subarray(0, 90),
    'its data is damaged',
  ],
  'a GIF': [
    async () =>
      sharp(await plainImage('png'))
        .gif()
        .toBuffer(),
    'it is gif',
  ],
  'a TIFF': [
    async () =>
      sharp(await plainImage('png'))
        .tiff()
        .toBuffer(),
    'it is tiff',
  ],
  'an SVG': [
    async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    'it is svg',
  ],
  '12000 × 12000 pixels': [() => plainImage('png', [12000, 12000]), '12000 × 12000 pixels'],
};

test.each(Object.entries(unreadable))('%s is refused by name', async (_, [make, why]) => {
  await expect(decoded(await make())).rejects.toMatchObject({
    code: 'IMAGE_UNREADABLE',
    facts: { file: 'image.jpg', why: expect.stringContaining(why) },
  });
});

test('a missing file is refused by name', async () => {
  await expect(decodeImage('/nowhere/a.jpg', 'a.jpg')).rejects.toMatchObject({
    code: 'IMAGE_UNREADABLE',
    facts: { why: 'it does not exist' },
  });
});

test('the size of an upright image comes from its header', async () => {
  const file = join(await testFolder(), 'a.jpg');
  await writeFile(
    file,
    await raw(redBlue, [2, 1, 3]).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
  );

  expect(await imageSize(file)).toEqual({ width: 1, height: 2 });
});
