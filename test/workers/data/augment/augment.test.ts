import { expect, test } from 'vitest';

import { augment } from '../../../../workers/data/augment/augment.ts';
import type { LabelBox } from '../../../../workers/data/augment/boxes.ts';
import { plainScene } from '../../../../workers/data/augment/fit.ts';
import type { AugmentOptions } from '../../../../workers/data/augment/options.ts';
import { AUGMENTATIONS } from '../../../../workers/data/augment/registry.ts';
import type { Source } from '../../../../workers/data/augment/scene.ts';
import type { Image } from '../../../../workers/data/decode.ts';
import { place } from '../../../../workers/data/geometry.ts';
import type { Row } from '../../../../workers/data/labels.ts';
import { random } from '../../../../workers/runtime/random.ts';

const OFF: AugmentOptions = {
  flipHorizontal: 0,
  flipVertical: 0,
  scale: 0,
  translate: 0,
  hue: 0,
  saturation: 0,
  value: 0,
  mosaic: 0,
  closeMosaic: 0,
  mixup: 0,
};
const PAD = 100;
/** Mixed pixels at edges are darker than any of these, and so no other of them. */
const COLOURS = [
  [220, 0, 0],
  [0, 220, 0],
  [0, 0, 220],
  [220, 220, 0],
] as const;
type Resize = 'letterbox' | 'stretch' | 'center-crop';
const INPUT = { width: 128, height: 96 };

/** A black picture with one patch, x 50 … 110 and y 20 … 60 of 160 × 120; its class is its colour. */
function patchOn(cls: number, resize: Resize): Source {
  const image: Image = { width: 160, height: 120, data: new Uint8Array(160 * 120 * 3) };
  for (let y = 20; y < 60; y++)
    for (let x = 50; x < 110; x++) image.data.set(COLOURS[cls]!, (y * 160 + x) * 3);
  const row: Row = [cls, 80 / 160, 40 / 120, 60 / 160, 40 / 120];
  return { image, rows: [row], fit: place(resize, [120, 160], [INPUT.height, INPUT.width]) };
}

const sources = (count: number, resize: Resize = 'letterbox') =>
  Array.from({ length: count }, (_, cls) => patchOn(cls, resize));

/** The smallest box around the pixels of a class: right to a pixel, because edges are mixed. */
function extent({ width, data }: Image, cls: number): number[] | undefined {
  const isOf = (k: number) => COLOURS[cls]!.every((v, c) => Math.abs(data[3 * k + c]! - v) <= 3);
  const found = Array.from({ length: data.length / 3 }, (_, k) => k).filter(isOf);
  if (found.length === 0) return undefined;
  const x = found.map((k) => k % width);
  const y = found.map((k) => Math.floor(k / width));
  return [Math.min(...x), Math.min(...y), Math.max(...x) + 1, Math.max(...y) + 1];
}

/** Largest distance of an edge of the box from that of its patch, in pixels. */
function distance(image: Image, { class: cls, corners }: LabelBox): number {
  const found = extent(image, cls);
  return found ? Math.max(...corners.map((v, i) => Math.abs(v - found[i]!))) : Infinity;
}

test.each<[string, 'detect' | 'classify' | 'generic', Partial<AugmentOptions>, number]>([
  ['nothing', 'detect', {}, 1],
  ['horizontal flip', 'detect', { flipHorizontal: 1 }, 1],
  ['vertical flip', 'detect', { flipVertical: 1 }, 1],
  ['scale', 'detect', { scale: 0.6 }, 1],
  ['shift', 'detect', { translate: 0.4 }, 1],
  ['mosaic', 'detect', { mosaic: 1 }, 4],
  [
    'all of these',
    'detect',
    { flipHorizontal: 0.5, flipVertical: 0.5, scale: 0.5, translate: 0.2, mosaic: 1 },
    4,
  ],
  [
    'all of these, no labels to train on',
    'generic',
    { flipHorizontal: 0.5, scale: 0.5, mosaic: 1 },
    4,
  ],
  ['crop', 'classify', { scale: 0.7, flipHorizontal: 0.5 }, 1],
])('%s: the box stays on its patch', (_, task, options, count) => {
  let seen = 0;
  for (let seed = 0; seed < 12; seed++) {
    const draw = { options: { ...OFF, ...options }, rng: random(seed), input: INPUT };
    const { image, boxes } = augment(task, sources(count), draw, PAD);
    seen += boxes.length;
    for (const box of boxes) expect(distance(image, box), `seed ${seed}`).toBeLessThan(1.6);
  }
  expect(seen).toBeGreaterThan(8 * Math.sqrt(count));
});

test.each(['letterbox', 'stretch', 'center-crop'] as const)(
  'mosaic of images placed by %s',
  (resize) => {
    const draw = { options: { ...OFF, mosaic: 1 }, rng: random(4), input: INPUT };
    const { image, boxes } = augment('detect', sources(4, resize), draw, PAD);

    expect(boxes.length).toBeGreaterThan(0);
    for (const box of boxes) expect(distance(image, box)).toBeLessThan(1.6);
  },
);

test('a patch without a box is one of which little is left', () => {
  const options = { ...OFF, translate: 0.8, scale: 0.3 };
  let dropped = 0;
  for (let seed = 0; seed < 40; seed++) {
    const draw = { options, rng: random(seed), input: INPUT };
    const { image, boxes } = augment('detect', sources(1), draw, PAD);
    if (boxes.length > 0) continue;
    dropped++;
    const [x1, y1, x2, y2] = extent(image, 0) ?? [0, 0, 0, 0];
    const thin = Math.min(x2! - x1!, y2! - y1!) <= 3;
    // The whole patch is 48 × 32 in the input, times the scale.
    expect(thin || (x2! - x1!) * (y2! - y1!) < 0.11 * 48 * 32 * 1.69).toBe(true);
  }
  expect(dropped).toBeGreaterThan(3);
});

test('colours change nothing but colours', () => {
  const draw = (options: Partial<AugmentOptions>) =>
    augment(
      'detect',
      sources(1),
      { options: { ...OFF, ...options }, rng: random(2), input: INPUT },
      PAD,
    );
  const [plain, shifted] = [draw({}), draw({ value: 0.4 })];

  expect(shifted.boxes).toEqual(plain.boxes);
  const factors = new Set(
    [...plain.image.data.keys()]
      .filter((k) => plain.image.data[k]! > 90)
      .map((k) => (shifted.image.data[k]! / plain.image.data[k]!).toFixed(1)),
  );
  expect(factors.size).toBe(1);
});

test('crops show the share of the area that was asked for', () => {
  const shares = Array.from({ length: 60 }, (_, seed) => {
    const draw = { options: { ...OFF, scale: 0.5 }, rng: random(seed), input: INPUT };
    const { x, y } = AUGMENTATIONS.crop(plainScene(sources(1, 'stretch'), INPUT), draw).tiles[0]!
      .place;
    return (INPUT.width * INPUT.height) / (x.scale * y.scale) / (160 * 120);
  });

  expect(Math.min(...shares)).toBeGreaterThan(0.49);
  expect(Math.max(...shares)).toBeLessThanOrEqual(1.0001);
  expect(Math.max(...shares) - Math.min(...shares)).toBeGreaterThan(0.3);
});

test('the same random numbers give the same picture', () => {
  const options = {
    ...OFF,
    mosaic: 1,
    scale: 0.5,
    translate: 0.1,
    hue: 0.1,
    saturation: 0.5,
    value: 0.5,
  };
  const made = (seed: number) =>
    augment('detect', sources(4), { options, rng: random(seed), input: INPUT }, PAD);

  expect(made(1)).toEqual(made(1));
  expect(made(1)).not.toEqual(made(2));
});
