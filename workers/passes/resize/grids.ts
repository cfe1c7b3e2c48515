/** @file Constants that run along an axis of changed size: coordinates and per-level factors, made anew. */

import type { Tensor } from '../../onnx/tensor.ts';
import { isNumeric, makeTensor, numbersOf } from '../../onnx/values.ts';
import { type Axis, axisSize, type Factor, isChanged, segmentSize } from './axes.ts';

/** Agreement of a fitted value, of the largest. float32 grids that were computed step by step stay far below. */
const FIT = 2e-6;

/** Index along one axis ↦ the block it lies in (segment and unchanged factors) and its place in it (changed factors). */
interface Place {
  readonly block: string;
  readonly at: readonly number[];
}

/**
 * The constant at the new sizes, or why it cannot be told.
 *
 * Within a block (one segment, one index of every unchanged factor and axis) the values must be a constant or grow evenly
 * along each changed factor: v = a + Σ bₖ·iₖ. Steps of whole numbers are cells or pixels and stay; steps that
 * span 0…1 or −1…1 shrink with the size. Nothing else is made up.
 *
 * @param axes of the tensor the constant meets, aligned to the constant's own axes
 */
export function regenerate(tensor: Tensor, axes: readonly (Axis | undefined)[]): Tensor | string {
  if (!isNumeric(tensor.dtype)) return `its type is ${tensor.dtype}`;
  const values = numbersOf(tensor);
  const grid = tensor.dims.map((d, k) => {
    const axis = axes[k];
    return d > 1 && axis && isChanged(axis) ? axis : ([[{ old: d, now: d }]] as Axis);
  });
  const fits = fitBlocks(values, grid);
  if (typeof fits === 'string') return fits;
  const dims = grid.map((axis) => axisSize(axis, 'now'));
  const places = grid.map((axis) => placesOf(axis, 'now'));
  const out = new Float64Array(dims.reduce((n, d) => n * d, 1));
  for (let i = 0; i < out.length; i++) {
    const { block, at } = placeOf(i, dims, places);
    const { start, steps } = fits.get(block)!;
    out[i] = at.reduce((v, index, k) => v + steps[k]! * index, start);
  }
  return makeTensor(tensor.dtype, dims, out);
}

interface Fit {
  readonly start: number;
  readonly steps: readonly number[];
}

function fitBlocks(values: readonly number[], grid: readonly Axis[]): Map<string, Fit> | string {
  const dims = grid.map((axis) => axisSize(axis, 'old'));
  const places = grid.map((axis) => placesOf(axis, 'old'));
  const blocks = new Map<string, { at: readonly number[]; v: number }[]>();
  for (const [i, v] of values.entries()) {
    const { block, at } = placeOf(i, dims, places);
    const list = blocks.get(block);
    if (list) list.push({ at, v });
    else blocks.set(block, [{ at, v }]);
  }
  const scale = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const fits = new Map<string, Fit>();
  for (const [block, points] of blocks) {
    const factors = changedFactors(grid, block);
    const fit = fitBlock(points, factors, FIT * scale);
    if (typeof fit === 'string') return fit;
    fits.set(block, fit);
  }
  return fits;
}

/** The changed factors of the segments that a block's key names. */
function changedFactors(grid: readonly Axis[], block: string): Factor[] {
  const keys = block.split('|');
  return grid.flatMap((axis, k) =>
    axis[Number(keys[k]!.split(':')[0])]!.filter((f) => f.old !== f.now),
  );
}

function fitBlock(
  points: readonly { at: readonly number[]; v: number }[],
  factors: readonly Factor[],
  tolerance: number,
): Fit | string {
  const start = points[0]!.v;
  const steps = factors.map((f, k) => {
    const last = points.find(({ at }) => at.every((i, m) => i === (m === k ? f.old - 1 : 0)))!;
    return f.old > 1 ? (last.v - start) / (f.old - 1) : 0;
  });
  for (const { at, v } of points) {
    const fitted = at.reduce((sum, i, k) => sum + steps[k]! * i, start);
    if (Math.abs(fitted - v) > tolerance)
      return 'its values are neither even steps nor constant along the axis that changes';
  }
  const moving = factors.flatMap((_, k) => (Math.abs(steps[k]!) > tolerance / 8 ? [k] : []));
  if (moving.length === 0) {
    const lone = factors.some((f) => f.old === 1);
    if (lone && factors.some((f) => f.now > 1) && factors.every((f) => f.old === 1))
      return 'it has a single entry where there will be several';
    return { start, steps: factors.map(() => 0) };
  }
  return rescale(start, steps, factors, moving);
}

const near = (a: number, b: number) => Math.abs(a - b) <= 1e-4 * Math.max(Math.abs(b), 1e-12);

/** Decide what the steps mean, and what start and steps are at the new sizes. */
function rescale(
  start: number,
  steps: readonly number[],
  factors: readonly Factor[],
  moving: readonly number[],
): Fit | string {
  const whole = moving.every(
    (k) => Math.abs(steps[k]!) >= 1 && near(steps[k]!, Math.round(steps[k]!)),
  );
  if (whole) return { start, steps: steps.map((b, k) => (moving.includes(k) ? Math.round(b) : 0)) };
  const [k] = moving;
  const { old, now } = factors[k!]!;
  const b = steps[k!]!;
  if (moving.length > 1 || old < 3) return `its steps of ${b} are of an unknown unit`;
  const next = new Array<number>(steps.length).fill(0);
  for (const span of [1, 2]) {
    const low = span === 1 ? 0 : -1;
    if (near(b * (old - 1), span) && near(start + 2, low + 2)) {
      next[k!] = now > 1 ? span / (now - 1) : 0;
      return { start, steps: next };
    }
    if (near(b * old, span)) {
      next[k!] = span / now;
      if (near(start + 2, low + 2)) return { start, steps: next };
      if (near(start - low, b / 2)) return { start: low + next[k!]! / 2, steps: next };
    }
  }
  return `its steps of ${b} are of an unknown unit`;
}

/** Every index of an axis, taken apart. */
function placesOf(axis: Axis, of: 'old' | 'now'): Place[] {
  return axis.flatMap((segment, s) =>
    Array.from({ length: segmentSize(segment, of) }, (_, index) => {
      const digits: number[] = [];
      let rest = index;
      for (const factor of [...segment].reverse()) {
        digits.unshift(rest % factor[of]);
        rest = Math.floor(rest / factor[of]);
      }
      const fixed = digits.filter((_, k) => segment[k]!.old === segment[k]!.now);
      const at = digits.filter((_, k) => segment[k]!.old !== segment[k]!.now);
      return { block: `${s}:${fixed}`, at };
    }),
  );
}

function placeOf(flat: number, dims: readonly number[], places: readonly Place[][]): Place {
  let rest = flat;
  const found: Place[] = [];
  for (let k = dims.length - 1; k >= 0; k--) {
    found.unshift(places[k]![rest % dims[k]!]!);
    rest = Math.floor(rest / dims[k]!);
  }
  return { block: found.map((p) => p.block).join('|'), at: found.flatMap((p) => p.at) };
}
