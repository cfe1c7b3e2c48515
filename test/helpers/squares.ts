/** @file A data set that can be learned in seconds: one square per image, its colour is its class. */

import { join } from 'node:path';
import sharp from 'sharp';

import type { Sample } from '../../workers/data/dataset.ts';
import { random } from '../../workers/runtime/random.ts';

const SIDE = 64;
export const SQUARE_CLASSES = ['red', 'green', 'blue'] as const;

/** `count` PNG files in `folder`, with YOLO rows. */
export async function squares(folder: string, count: number, seed = 1): Promise<Sample[]> {
  const { below } = random(seed);
  const samples: Sample[] = [];
  for (let i = 0; i < count; i++) {
    const cls = i % SQUARE_CLASSES.length;
    const side = 14 + below(20);
    const [left, top] = [below(SIDE - side), below(SIDE - side)];
    const colour = { r: 30, g: 30, b: 30, [['r', 'g', 'b'][cls]!]: 230 };
    const square = await sharp({
      create: { width: side, height: side, channels: 3, background: colour },
    })
      .png()
      .toBuffer();
    const file = join(folder, `square-${String(i).padStart(3, '0')}.png`);
    const canvas = {
      width: SIDE,
      height: SIDE,
      channels: 3,
      background: { r: 110, g: 110, b: 110 },
    } as const;
    await sharp({ create: canvas })
      .composite([{ input: square, left, top }])
      .png()
      .toFile(file);
    const centre = (at: number) => (at + side / 2) / SIDE;
    samples.push({
      name: `square-${i}`,
      file,
      boxes: [[cls, centre(left), centre(top), side / SIDE, side / SIDE]],
    });
  }
  return samples;
}
