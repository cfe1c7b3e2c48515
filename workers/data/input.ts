/** @file Samples to model inputs. */

import type { Preprocess } from '../../src/contract/preprocess.ts';
import type { Sample } from './dataset.ts';
import { decodeImage } from './decode.ts';
import { type Geometry, place } from './geometry.ts';
import { resizeImage } from './resize.ts';

export interface ImageInput {
  /** NCHW, N = 1. */
  readonly data: Float32Array;
  readonly dims: readonly number[];
  readonly geometry: Geometry;
}

/**
 * x = (pixel[channel] · scale − mean) / std over the resized image.
 *
 * @param size      [height, width] of the input
 * @param channels  3, or 1 for models of gray images (0.299 R + 0.587 G + 0.114 B)
 * @returns shape [1, channels, height, width], float32
 * @throws IMAGE_UNREADABLE
 */
export async function loadInput(
  sample: Pick<Sample, 'file' | 'name'>,
  preprocess: Preprocess,
  size: readonly [number, number],
  channels: 1 | 3 = 3,
): Promise<ImageInput> {
  const image = await decodeImage(sample.file, sample.name);
  const geometry = place(preprocess.resize, [image.height, image.width], size);
  const pixels = resizeImage(image, geometry, Math.round(preprocess.pad));
  return { data: planes(pixels, preprocess, channels), dims: [1, channels, ...size], geometry };
}

/**
 * H × W × 3 bytes to channels × H × W numbers.
 *
 * @param into where they are written; a new array where there is none
 */
export const planes = (
  pixels: Uint8Array,
  preprocess: Preprocess,
  channels: 1 | 3,
  into?: Float32Array,
): Float32Array =>
  channels === 1 ? grayPlane(pixels, preprocess, into) : colourPlanes(pixels, preprocess, into);

/** H × W × 3 bytes to 3 × H × W numbers. */
export function colourPlanes(
  pixels: Uint8Array,
  preprocess: Preprocess,
  data: Float32Array = new Float32Array(pixels.length),
): Float32Array {
  const area = pixels.length / 3;
  for (let c = 0; c < 3; c++) {
    const value = valueTable(preprocess, c);
    const from = preprocess.channels === 'rgb' ? c : 2 - c;
    for (let i = 0; i < area; i++) data[c * area + i] = value[pixels[3 * i + from]!]!;
  }
  return data;
}

function grayPlane(
  pixels: Uint8Array,
  preprocess: Preprocess,
  data: Float32Array = new Float32Array(pixels.length / 3),
): Float32Array {
  const value = valueTable(preprocess, 0);
  for (let i = 0; i < data.length; i++) {
    const gray = 0.299 * pixels[3 * i]! + 0.587 * pixels[3 * i + 1]! + 0.114 * pixels[3 * i + 2]!;
    data[i] = value[Math.round(gray)]!;
  }
  return data;
}

/** The input value of every byte, for one channel. `mean` and `std` of length 1 hold for all channels. */
function valueTable({ scale, mean, std }: Preprocess, channel: number): Float32Array {
  const m = mean[channel] ?? mean[0] ?? 0;
  const s = std[channel] ?? std[0] ?? 1;
  return Float32Array.from({ length: 256 }, (_, byte) => (byte * scale - m) / s);
}
