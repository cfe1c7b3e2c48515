/** @file Drawing a placed image: bilinear, in whole numbers, so that every machine draws the same bytes. */

import type { Image } from '../decode.ts';
import { type AxisMap, mapRange, type Placement } from './placement.ts';

const BITS = 11;
const ONE = 1 << BITS;
const HALF = 1 << (2 * BITS - 1);

/**
 * Fill the pixels of `canvas` whose centres lie in the image and in the placement's window.
 *
 * Pixel j shows the image at ((j + 0.5) − shift)/scale − 0.5, held inside the image, mixed from four pixels with
 * weights of 11 bits. There is no anti-aliasing, as at inference.
 *
 * @param canvas changed in place
 */
export function drawImage(canvas: Image, image: Image, { x, y, window }: Placement): void {
  const across = taps(x, image.width, canvas.width, window[0], window[2]);
  const down = taps(y, image.height, canvas.height, window[1], window[3]);
  const rows = [0, 1].map(() => ({ row: -1, values: new Int32Array(across.count * 3) }));
  const rowOf = (row: number, other: number): Int32Array => {
    const slot = rows.find((s) => s.row === row) ?? rows.find((s) => s.row !== other)!;
    if (slot.row !== row) blendRow(slot.values, image, row, across);
    slot.row = row;
    return slot.values;
  };
  for (let i = 0; i < down.count; i++) {
    const [a, b] = [down.first[i]!, down.second[i]!];
    const upper = rowOf(a, b);
    const lower = a === b ? upper : rowOf(b, a);
    const share = down.share[i]!;
    const rest = ONE - share;
    const to = ((down.start + i) * canvas.width + across.start) * 3;
    for (let k = 0; k < across.count * 3; k++)
      canvas.data[to + k] = (upper[k]! * rest + lower[k]! * share + HALF) >> (2 * BITS);
  }
}

interface Taps {
  /** First canvas pixel that is drawn, and how many are. */
  readonly start: number;
  readonly count: number;
  /** The two image pixels that each mixes, and the share of the second in 2048ths. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly share: Int32Array;
}

function taps(map: AxisMap, size: number, canvas: number, from: number, to: number): Taps {
  const [low, high] = mapRange(map, 0, size);
  const start = Math.max(0, Math.ceil(Math.max(low, from) - 0.5));
  const end = Math.min(canvas, Math.ceil(Math.min(high, to) - 0.5));
  const count = Math.max(0, end - start);
  const [first, second, share] = [0, 1, 2].map(() => new Int32Array(count)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (let i = 0; i < count; i++) {
    const exact = (start + i + 0.5 - map.shift) / map.scale - 0.5;
    const position = Math.min(size - 1, Math.max(0, exact));
    const at = Math.floor(position);
    first[i] = at;
    second[i] = Math.min(size - 1, at + 1);
    share[i] = Math.round((position - at) * ONE);
  }
  return { start, count, first, second, share };
}

/** One image row at the canvas's columns, times 2048. */
function blendRow(values: Int32Array, image: Image, row: number, across: Taps): void {
  const { data, width } = image;
  const { first, second, share, count } = across;
  const start = row * width * 3;
  for (let i = 0, to = 0; i < count; i++, to += 3) {
    const a = start + first[i]! * 3;
    const b = start + second[i]! * 3;
    const w = share[i]!;
    const rest = ONE - w;
    values[to] = data[a]! * rest + data[b]! * w;
    values[to + 1] = data[a + 1]! * rest + data[b + 1]! * w;
    values[to + 2] = data[a + 2]! * rest + data[b + 2]! * w;
  }
}
