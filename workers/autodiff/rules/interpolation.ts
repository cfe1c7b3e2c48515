/** @file Interpolation along one axis as a matrix: what each output pixel takes of each input pixel. */

import { floatOf, intOf, stringOf } from '../../onnx/attributes.ts';
import type { Node } from '../../onnx/graph.ts';
import { range } from '../../onnx/static-shapes.ts';
import { refuse } from '../refusal.ts';

/** One axis of a Resize. */
export interface Axis {
  readonly size: number;
  readonly out: number;
  readonly scale: number;
  /** Part of the axis that tf_crop_and_resize takes, as fractions. */
  readonly start: number;
  readonly end: number;
}

/** Adds weight to input pixel i, which may lie outside. */
type Take = (i: number, weight: number) => void;

/**
 * Row-major (out, in). Pixels outside are those at the border.
 * Source: https://onnx.ai/onnx/operators/onnx__Resize.html
 */
export function interpolation(node: Node, axis: Axis): Float64Array {
  const { size, out } = axis;
  const matrix = new Float64Array(out * size);
  const crops = coordinateMode(node) === 'tf_crop_and_resize';
  for (let o = 0; o < out; o++) {
    const at = coordinate(node, o, axis);
    if (crops && (at < 0 || at > size - 1)) continue;
    sample(node, at, axis, (i, weight) => {
      matrix[o * size + Math.max(0, Math.min(size - 1, i))]! += weight;
    });
  }
  return matrix;
}

function sample(node: Node, at: number, axis: Axis, take: Take): void {
  const mode = stringOf(node, 'mode', 'nearest');
  if (mode === 'nearest')
    take(nearest(stringOf(node, 'nearest_mode', 'round_prefer_floor'), at), 1);
  else if (intOf(node, 'antialias', 0) === 1) antialiased(node, at, axis, take);
  else if (mode === 'linear') linear(Math.max(0, Math.min(axis.size - 1, at)), take);
  else cubic(node, at, axis.size, take);
}

const coordinateMode = (node: Node) =>
  stringOf(node, 'coordinate_transformation_mode', 'half_pixel');

const f = Math.fround;

/** Where output pixel o lies among the input's pixels, rounded as the runtime rounds: a tie must fall on the same side. */
function coordinate(node: Node, o: number, { size, out, scale, start, end }: Axis): number {
  const centre = f(f(o + 0.5) / f(scale));
  const mode = coordinateMode(node);
  switch (mode) {
    case 'asymmetric':
      return f(o / f(scale));
    case 'align_corners':
      return out === 1 ? 0 : f(f(o * (size - 1)) / (out - 1));
    case 'pytorch_half_pixel':
      return out === 1 ? 0 : f(centre - 0.5);
    case 'half_pixel':
      return f(centre - 0.5);
    case 'half_pixel_symmetric': {
      const adjustment = f(out / f(f(scale) * size));
      return f(f(f((size / 2) * f(1 - adjustment)) + centre) - 0.5);
    }
    case 'tf_crop_and_resize':
      return out === 1
        ? 0.5 * (start + end) * (size - 1)
        : start * (size - 1) + (o * (end - start) * (size - 1)) / (out - 1);
    default:
      return refuse(node, `coordinate mode '${mode}' has no rule`);
  }
}

function nearest(mode: string, at: number): number {
  if (mode === 'floor') return Math.floor(at);
  if (mode === 'ceil') return Math.ceil(at);
  if (mode === 'round_prefer_ceil') return Math.floor(at + 0.5);
  return Math.ceil(at - 0.5);
}

function linear(at: number, take: Take): void {
  const base = Math.floor(at);
  take(base, 1 - (at - base));
  take(base + 1, at - base);
}

/** Keys' kernel, a = cubic_coeff_a. */
function keys(node: Node, distance: number): number {
  const a = floatOf(node, 'cubic_coeff_a', -0.75);
  const u = Math.abs(distance);
  if (u <= 1) return ((a + 2) * u - (a + 3)) * u * u + 1;
  return u < 2 ? ((a * u - 5 * a) * u + 8 * a) * u - 4 * a : 0;
}

function cubic(node: Node, at: number, size: number, take: Take): void {
  const base = Math.floor(at);
  const pixels = range(4).map((k) => base - 1 + k);
  const weight = (i: number) => keys(node, at - i);
  if (intOf(node, 'exclude_outside', 0) === 0) for (const i of pixels) take(i, weight(i));
  else normalized(inside(pixels, size), weight, take);
}

const inside = (pixels: readonly number[], size: number) =>
  pixels.filter((i) => i >= 0 && i < size);

/** Where the axis shrinks, the kernel is stretched over the pixels that fall into one. */
function antialiased(node: Node, at: number, { size, scale }: Axis, take: Take): void {
  const stretch = Math.max(1, 1 / scale);
  const isLinear = stringOf(node, 'mode', 'nearest') === 'linear';
  const support = (isLinear ? 1 : 2) * stretch;
  const excludes = intOf(node, 'exclude_outside', 0) === 1;
  const first = Math.floor(at + 1 - support);
  const pixels = range(Math.floor(at + 1 + support) - first).map((k) => first + k);
  const weight = (i: number) => {
    const u = (i - at) / stretch;
    return isLinear ? Math.max(0, 1 - Math.abs(u)) : keys(node, u);
  };
  normalized(excludes ? inside(pixels, size) : pixels, weight, take);
}

function normalized(pixels: readonly number[], weight: (i: number) => number, take: Take): void {
  const total = pixels.reduce((sum, i) => sum + weight(i), 0);
  for (const i of pixels) take(i, weight(i) / (total || 1));
}
