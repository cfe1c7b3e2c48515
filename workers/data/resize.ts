/** @file Bilinear resizing without anti-aliasing, in OpenCV's fixed point (INTER_LINEAR, 8 bit). */

import { roundHalfEven } from '../onnx/round.ts';
import type { Image } from './decode.ts';
import type { Geometry } from './geometry.ts';

const BITS = 11; // OpenCV: INTER_RESIZE_COEF_BITS
const ONE = 1 << BITS;

/**
 * The input's picture, H × W × 3: the image resized to `g.width` × `g.height`, the part of it that the input
 * shows, and `pad` around it.
 *
 * Half-pixel centres: source x = (x′ + 0.5)·w/w′ − 0.5, held inside the image. Weights have 11 bits; each axis is
 * rounded as OpenCV's resizeLinear does (modules/imgproc/src/resize.cpp, VResizeLinear for uchar).
 */
export function resizeImage(image: Image, g: Geometry, pad: number): Uint8Array {
  const out = new Uint8Array(g.inputHeight * g.inputWidth * 3).fill(pad);
  const across = taps('x', image.width, g.width, g.left, g.inputWidth);
  const down = taps('y', image.height, g.height, g.top, g.inputHeight);
  const row = image.width * 3;
  const same = g.width === image.width && g.height === image.height;
  const rows = new RowPair(image, across);
  for (let i = 0; i < down.count; i++) {
    const to = ((down.first + i) * g.inputWidth + across.first) * 3;
    if (same) {
      const from = down.index[i]! * row + across.index[0]! * 3;
      out.set(image.data.subarray(from, from + across.count * 3), to);
      continue;
    }
    const at = down.index[i]!;
    const [upper, lower] = rows.at(Math.max(at, 0), Math.min(at + 1, image.height - 1));
    const [b0, b1] = [down.weight[2 * i]!, down.weight[2 * i + 1]!];
    for (let k = 0; k < across.count * 3; k++)
      out[to + k] = (((b0 * (upper[k]! >> 4)) >> 16) + ((b1 * (lower[k]! >> 4)) >> 16) + 2) >> 2;
  }
  return out;
}

/**
 * For every shown target position on one axis: the first source index and the two weights. Beyond the border OpenCV
 * takes the edge pixel once along x, and mixes the edge row with itself along y (which rounds differently).
 */
interface Taps {
  /** First position of the input that the image covers, and how many it covers. */
  readonly first: number;
  readonly count: number;
  readonly index: Int32Array;
  readonly weight: Int32Array;
}

function taps(
  axis: 'x' | 'y',
  source: number,
  resized: number,
  offset: number,
  input: number,
): Taps {
  const first = Math.max(0, offset);
  const count = Math.min(input, offset + resized) - first;
  const index = new Int32Array(count);
  const weight = new Int32Array(2 * count);
  const scale = source / resized;
  for (let i = 0; i < count; i++) {
    const position = Math.fround((first - offset + i + 0.5) * scale - 0.5);
    let at = Math.floor(position);
    let share = Math.fround(position - at);
    if (axis === 'x' && at < 0) [at, share] = [0, 0];
    if (axis === 'x' && at >= source - 1) [at, share] = [source - 1, 0];
    index[i] = at;
    weight[2 * i] = roundHalfEven(Math.fround(1 - share) * ONE);
    weight[2 * i + 1] = roundHalfEven(share * ONE);
  }
  return { first, count, index, weight };
}

/** The two source rows that a target row mixes, resized along x; kept while target rows share them. */
class RowPair {
  private readonly image: Image;
  private readonly across: Taps;
  private readonly kept: { row: number; values: Int32Array }[];

  constructor(image: Image, across: Taps) {
    this.image = image;
    this.across = across;
    this.kept = [0, 1].map(() => ({ row: -1, values: new Int32Array(across.count * 3) }));
  }

  at(upper: number, lower: number): [Int32Array, Int32Array] {
    const first = this.filled(upper, lower);
    return [first, lower === upper ? first : this.filled(lower, upper)];
  }

  /** Row `row`, computed into the slot that does not hold `other`. */
  private filled(row: number, other: number): Int32Array {
    const found = this.kept.find((slot) => slot.row === row);
    if (found !== undefined) return found.values;
    const slot = this.kept.find((s) => s.row !== other)!;
    slot.row = row;
    this.fill(slot.values, row);
    return slot.values;
  }

  private fill(values: Int32Array, row: number): void {
    const { data, width } = this.image;
    const { index, weight, count } = this.across;
    const start = row * width * 3;
    for (let i = 0; i < count; i++) {
      const from = start + index[i]! * 3;
      const next = index[i]! < width - 1 ? 3 : 0;
      const [a0, a1] = [weight[2 * i]!, weight[2 * i + 1]!];
      for (let c = 0; c < 3; c++)
        values[3 * i + c] = data[from + c]! * a0 + data[from + next + c]! * a1;
    }
  }
}
