/** @file Resizing and placing images against OpenCV's results. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { decodeImage, type Image } from '../../workers/data/decode.ts';
import {
  type Corners,
  type Geometry,
  place,
  toImage,
  toInput,
} from '../../workers/data/geometry.ts';
import { resizeImage } from '../../workers/data/resize.ts';
import { NO_SHARED_DATA, oracleCases, sharedData } from '../helpers/shared-data.ts';

interface Placement {
  readonly image_wh: readonly [number, number];
  readonly size: number;
  readonly scale: number;
  readonly resized_wh: readonly [number, number];
  readonly left: number;
  readonly top: number;
}

interface Bytes {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

interface Target extends Placement {
  readonly tensor_u8_sha256: string;
  readonly tensor_u8?: Bytes;
  readonly rows?: { readonly step: number; readonly tensor_u8: Bytes };
  readonly boxes: Readonly<Record<string, { readonly data: Float32Array }>>;
}

const cases = oracleCases('letterbox');
if (cases.length === 0) test.skip(`letterbox: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c.data] as const))('letterbox %s', async (_, data) => {
  for (const placement of (data['cases'] ?? []) as Placement[]) expectPlacement(placement);
  const targets = Object.entries(data).filter(([key]) => key.startsWith('to_'));
  if (targets.length === 0) return;
  const image = await imageOf(data);
  for (const [, target] of targets as [string, Target][]) {
    const geometry = expectPlacement(target);
    const tensor = planes(resizeImage(image, geometry, 114));
    expectBytes(tensor, target);
    expectBoxes(geometry, target.boxes);
  }
});

async function imageOf(data: Readonly<Record<string, unknown>>): Promise<Image> {
  const given = data['pixels_rgb_hwc'] as Bytes | undefined;
  if (given !== undefined)
    return { height: given.shape[0]!, width: given.shape[1]!, data: given.data };
  const source = String(data['source']).replace(/^shared\/data\//, '');
  const image = await decodeImage(join(sharedData()!.root, source));
  const decoded = data['decoded_rgb'] as { channel_mean_0_255: number[] };
  for (const [c, mean] of decoded.channel_mean_0_255.entries())
    expect(Math.abs(channelMean(image, c) - mean)).toBeLessThan(0.05);
  return image;
}

function channelMean({ data }: Image, channel: number): number {
  let sum = 0;
  for (let i = channel; i < data.length; i += 3) sum += data[i]!;
  return sum / (data.length / 3);
}

function expectPlacement({
  image_wh: [w, h],
  size,
  scale,
  resized_wh,
  left,
  top,
}: Placement): Geometry {
  const g = place('letterbox', [h, w], [size, size]);
  expect({ scale: g.scaleX, resized: [g.width, g.height], left: g.left, top: g.top }).toEqual({
    scale,
    resized: resized_wh,
    left,
    top,
  });
  return g;
}

function planes(pixels: Uint8Array): Uint8Array {
  const area = pixels.length / 3;
  return Uint8Array.from(pixels, (_, i) => pixels[3 * (i % area) + Math.floor(i / area)]!);
}

/** Equal to OpenCV's bytes; within 1 where another JPEG decoder made other pixels. */
function expectBytes(
  tensor: Uint8Array,
  { tensor_u8_sha256, tensor_u8, rows, size }: Target,
): void {
  if (createHash('sha256').update(tensor).digest('hex') === tensor_u8_sha256) return;
  const { data, shape } = (tensor_u8 ?? rows?.tensor_u8)!;
  const step = rows?.step ?? 1;
  const height = shape[1]!;
  const worst = data.reduce((max, expected, i) => {
    const [c, y, x] = [Math.floor(i / (height * size)), Math.floor(i / size) % height, i % size];
    return Math.max(max, Math.abs(tensor[(c * size + y * step) * size + x]! - expected));
  }, 0);
  expect(worst).toBeLessThanOrEqual(1);
}

function expectBoxes(g: Geometry, boxes: Target['boxes']): void {
  const rows = (name: string) => cornersOf(boxes[name]!.data);
  const worst = (found: Corners[], name: string) =>
    Math.max(...found.flat().map((v, i) => Math.abs(v - boxes[name]!.data[i]!)));
  expect(
    worst(
      rows('image_xyxy').map((b) => toInput(g, b)),
      'tensor_xyxy',
    ),
  ).toBeLessThan(1e-3);
  expect(
    worst(
      rows('predicted_tensor_xyxy').map((b) => toImage(g, b)),
      'predicted_image_xyxy_clipped',
    ),
  ).toBeLessThan(1e-3);
}

const cornersOf = (flat: Float32Array): Corners[] =>
  Array.from(
    { length: flat.length / 4 },
    (_, i) => [...flat.subarray(4 * i, 4 * i + 4)] as unknown as Corners,
  );
