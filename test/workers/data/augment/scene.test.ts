/** @file What single steps do to placements, by their definitions. */

import { expect, test } from 'vitest';

import { plainScene } from '../../../../workers/data/augment/fit.ts';
import { type AugmentOptions, augmentOptions } from '../../../../workers/data/augment/options.ts';
import { mapRange } from '../../../../workers/data/augment/placement.ts';
import { AUGMENTATIONS } from '../../../../workers/data/augment/registry.ts';
import type { Scene, Source } from '../../../../workers/data/augment/scene.ts';
import { place } from '../../../../workers/data/geometry.ts';
import { random } from '../../../../workers/runtime/random.ts';

const ALL = augmentOptions(true) as AugmentOptions;
const INPUT = { width: 128, height: 96 };
const SIZES = [
  [160, 120],
  [64, 128],
  [300, 90],
  [40, 30],
] as const;

const sources = SIZES.map(
  ([width, height]): Source => ({
    image: { width, height, data: new Uint8Array(width * height * 3) },
    rows: [],
    fit: place('letterbox', [height, width], [INPUT.height, INPUT.width]),
  }),
);

const plain = plainScene(sources, INPUT);
const draw = (seed: number, options: Partial<AugmentOptions> = {}) => ({
  options: { ...ALL, ...options },
  rng: random(seed),
  input: INPUT,
});

const seeds = Array.from({ length: 200 }, (_, i) => i);
const range = (values: readonly number[]) => [Math.min(...values), Math.max(...values)];

/** Left, top, right and bottom of a tile's whole image on the canvas. */
function edges({ tiles }: Scene, i: number): [number, number, number, number] {
  const { source, place: p } = tiles[i]!;
  const [left, right] = mapRange(p.x, 0, source.image.width);
  const [top, bottom] = mapRange(p.y, 0, source.image.height);
  return [left, top, right, bottom];
}

test('mosaic: four images meet in a point of the middle half of a canvas of twice the size', () => {
  const points = seeds.map((seed) => {
    const scene = AUGMENTATIONS.mosaic(plain, draw(seed));
    const [, , cx, cy] = edges(scene, 0);
    const meeting = [edges(scene, 1).slice(0, 1), edges(scene, 1).slice(3)].flat();
    expect(scene.canvas).toEqual({ width: 256, height: 192 });
    expect(meeting[0]).toBeCloseTo(cx, 9);
    expect(meeting[1]).toBeCloseTo(cy, 9);
    expect(edges(scene, 2)[2]).toBeCloseTo(cx, 9);
    expect(edges(scene, 2)[1]).toBeCloseTo(cy, 9);
    expect(edges(scene, 3)[0]).toBeCloseTo(cx, 9);
    expect(edges(scene, 3)[1]).toBeCloseTo(cy, 9);
    const windows = scene.tiles.map((tile) => tile.place.window);
    for (const [i, [x1, y1, x2, y2]] of windows.entries()) {
      expect(i % 2 === 0 ? x2 : x1).toBeCloseTo(cx, 9);
      expect(i < 2 ? y2 : y1).toBeCloseTo(cy, 9);
      expect([i % 2 === 0 ? x1 : x2, i < 2 ? y1 : y2].map(Math.abs)).toEqual([Infinity, Infinity]);
    }
    return [cx, cy] as const;
  });

  expect(range(points.map(([x]) => x))).toEqual([expect.closeTo(64, -1), expect.closeTo(192, -1)]);
  expect(range(points.map(([, y]) => y))).toEqual([
    expect.closeTo(48, -1),
    expect.closeTo(144, -1),
  ]);
});

test('mosaic keeps the sizes that images have in the input', () => {
  const scene = AUGMENTATIONS.mosaic(plain, draw(1));
  const sizes = [0, 1, 2, 3].map((i) => {
    const [left, top, right, bottom] = edges(scene, i);
    return [Math.round(right - left), Math.round(bottom - top)];
  });
  expect(sizes).toEqual([
    [128, 96],
    [48, 96],
    [128, 38],
    [128, 96],
  ]);
});

test('fewer than four images make no mosaic', () => {
  const one = plainScene(sources.slice(0, 1), INPUT);
  expect(AUGMENTATIONS.mosaic(one, draw(1))).toEqual(one);
});

test('affine: the middle goes to the middle plus the shift, sizes by one factor', () => {
  const options = { scale: 0.3, translate: 0.2 };
  const before = AUGMENTATIONS.mosaic(plain, draw(9));
  const drawn = seeds.map((seed) => {
    const after = AUGMENTATIONS.affine(before, draw(seed, options));
    expect(after.canvas).toEqual(INPUT);
    const scale = after.tiles[0]!.place.x.scale / before.tiles[0]!.place.x.scale;
    const shifts = (['x', 'y'] as const).map((axis) => {
      const side = axis === 'x' ? 'width' : 'height';
      const { place: from } = before.tiles[2]!;
      const { place: to } = after.tiles[2]!;
      expect(to[axis].scale / from[axis].scale).toBeCloseTo(scale, 9);
      const middle = (before.canvas[side] / 2 - from[axis].shift) / from[axis].scale;
      return (middle * to[axis].scale + to[axis].shift - INPUT[side] / 2) / INPUT[side];
    });
    return [scale, ...shifts];
  });

  for (const [i, low, high] of [
    [0, 0.7, 1.3],
    [1, -0.2, 0.2],
    [2, -0.2, 0.2],
  ] as const) {
    const [least, most] = range(drawn.map((d) => d[i]!));
    expect(least).toBeGreaterThanOrEqual(low - 1e-9);
    expect(least).toBeLessThan(low + 0.02);
    expect(most).toBeLessThanOrEqual(high + 1e-9);
    expect(most).toBeGreaterThan(high - 0.02);
  }
});

test.each(['flipHorizontal', 'flipVertical'] as const)('%s for the share asked for', (name) => {
  const axis = name === 'flipHorizontal' ? 'x' : 'y';
  const flipped = seeds.filter((seed) => {
    const { place: p } = AUGMENTATIONS[name](plain, draw(seed, { [name]: 0.3 })).tiles[0]!;
    return p[axis].scale < 0;
  });
  expect(flipped.length / seeds.length).toBeCloseTo(0.3, 1);
});

test('crop: the shown part lies inside the image and fills the input', () => {
  for (const seed of seeds)
    for (const source of sources) {
      const scene = AUGMENTATIONS.crop(plainScene([source], INPUT), draw(seed, { scale: 0.8 }));
      const [left, top, right, bottom] = edges(scene, 0);
      expect(Math.max(left, top)).toBeLessThan(1e-9);
      expect(right).toBeGreaterThan(INPUT.width - 1e-9);
      expect(bottom).toBeGreaterThan(INPUT.height - 1e-9);
      const aspect = (right - left) / source.image.width / ((bottom - top) / source.image.height);
      // Equal in the input's pixels up to the drawn 3/4 … 4/3, and letterboxing rounds to whole pixels.
      expect(aspect).toBeGreaterThan(0.74);
      expect(aspect).toBeLessThan(1.35);
    }
});

test('hsv draws each factor from its whole range', () => {
  const shifts = seeds.map((seed) => AUGMENTATIONS.hsv(plain, draw(seed)).colours[0]!);
  const near = (...ends: number[]) => ends.map((v) => expect.closeTo(v, 1));

  expect(range(shifts.map((s) => s.hue * 10))).toEqual(near(-0.15, 0.15));
  expect(range(shifts.map((s) => s.saturation))).toEqual(near(0.3, 1.7));
  expect(range(shifts.map((s) => s.value))).toEqual(near(0.6, 1.4));
});
