/** @file Gradient of Resize: separable, so one constant matrix per axis, whatever the mode. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { floatOf, intOf, stringOf } from '../../onnx/attributes.ts';
import { type Node, nodeLabel } from '../../onnx/graph.ts';
import { range, shapeOf } from '../../onnx/static-shapes.ts';
import { numbersOf } from '../../onnx/values.ts';
import { applyAlong, transposed } from '../along.ts';
import type { GradientRule } from '../rule.ts';

/**
 * y = (A₁ ⊗ A₂ ⊗ …)·x, A_i the interpolation along axis i;  dx = A_iᵀ along every axis.
 * Nearest by a whole factor is a sum over blocks instead.
 * Source: https://onnx.ai/onnx/operators/onnx__Resize.html
 */
export const resize: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const [from, to] = [shapeOf(x), shapeOf(y)];
    const scales = scalesOf(node, from, to);
    const changed = range(from.length).filter((i) => from[i] !== to[i] || scales[i] !== 1);
    if (changed.every((i) => isBlock(node, from[i]!, to[i]!, scales[i]!))) {
      const split = g.reshape(
        d,
        from.flatMap((s, i) => [s, to[i]! / s]),
      );
      return g.reshape(
        g.sum(
          split,
          changed.map((i) => 2 * i + 1),
        ),
        from,
      );
    }
    return changed.reduce((v, axis) => {
      const matrix = interpolation(node, from[axis]!, to[axis]!, scales[axis]!);
      return applyAlong(g, v, axis, transposed(matrix, to[axis]!), from[axis]!);
    }, d);
  },
  null,
  null,
  null,
];

/** Scales as given, or as sizes imply them. */
function scalesOf(node: Node, from: readonly number[], to: readonly number[]): number[] {
  const given = node.inputs[2]?.constant;
  if (given && given.size === from.length) return numbersOf(given);
  return from.map((s, i) => to[i]! / s);
}

/** Nearest by a whole factor with a mode under which each source pixel is repeated in place. */
function isBlock(node: Node, from: number, to: number, scale: number): boolean {
  const factor = to / from;
  if (
    stringOf(node, 'mode', 'nearest') !== 'nearest' ||
    !Number.isInteger(factor) ||
    scale !== factor
  )
    return false;
  const matrix = interpolation(node, from, to, scale);
  return range(to).every((o) => matrix[o * from + Math.floor(o / factor)] === 1);
}

/** Row-major (out, in): what each output pixel takes of each input pixel. */
export function interpolation(node: Node, size: number, out: number, scale: number): Float64Array {
  const mode = stringOf(node, 'mode', 'nearest');
  if (intOf(node, 'antialias', 0) === 1) {
    throw new ServiceError('OP_NOT_DIFFERENTIABLE', {
      op: node.op,
      node: nodeLabel(node),
      why: 'antialias = 1 has no rule',
    });
  }
  const matrix = new Float64Array(out * size);
  const add = (o: number, i: number, w: number) => {
    matrix[o * size + Math.max(0, Math.min(size - 1, i))]! += w;
  };
  for (let o = 0; o < out; o++) {
    const at = coordinate(node, o, size, out, scale);
    if (mode === 'nearest')
      add(o, nearest(stringOf(node, 'nearest_mode', 'round_prefer_floor'), at), 1);
    else if (mode === 'linear') {
      const clamped = Math.max(0, Math.min(size - 1, at));
      const base = Math.floor(clamped);
      add(o, base, 1 - (clamped - base));
      add(o, base + 1, clamped - base);
    } else cubic(node, at, size, (i, w) => add(o, i, w));
  }
  return matrix;
}

/** Where output pixel o lies among the input's pixels. */
function coordinate(node: Node, o: number, size: number, out: number, scale: number): number {
  const mode = stringOf(node, 'coordinate_transformation_mode', 'half_pixel');
  switch (mode) {
    case 'asymmetric':
      return o / scale;
    case 'align_corners':
      return out === 1 ? 0 : (o * (size - 1)) / (out - 1);
    case 'pytorch_half_pixel':
      return out === 1 ? 0 : (o + 0.5) / scale - 0.5;
    case 'half_pixel':
      return (o + 0.5) / scale - 0.5;
    case 'half_pixel_symmetric': {
      const adjustment = out / (scale * size);
      return (size / 2) * (1 - adjustment) + (o + 0.5) / scale - 0.5;
    }
    default:
      throw new ServiceError('OP_NOT_DIFFERENTIABLE', {
        op: node.op,
        node: nodeLabel(node),
        why: `coordinate mode '${mode}' has no rule`,
      });
  }
}

function nearest(mode: string, at: number): number {
  if (mode === 'floor') return Math.floor(at);
  if (mode === 'ceil') return Math.ceil(at);
  if (mode === 'round_prefer_ceil') return Math.floor(at + 0.5);
  return Math.ceil(at - 0.5);
}

/** Keys' kernel over four pixels, a = cubic_coeff_a. */
function cubic(node: Node, at: number, size: number, add: (i: number, w: number) => void): void {
  const a = floatOf(node, 'cubic_coeff_a', -0.75);
  const base = Math.floor(at);
  const t = at - base;
  const near = (u: number) => ((a + 2) * u - (a + 3)) * u * u + 1;
  const far = (u: number) => ((a * u - 5 * a) * u + 8 * a) * u - 4 * a;
  const taps = [far(t + 1), near(t), near(1 - t), far(2 - t)];
  const inside = taps.map((w, k) => {
    const i = base - 1 + k;
    return intOf(node, 'exclude_outside', 0) === 1 && (i < 0 || i >= size) ? 0 : w;
  });
  const total = inside.reduce((s, w) => s + w, 0);
  const excluded = intOf(node, 'exclude_outside', 0) === 1;
  for (const [k, w] of inside.entries()) add(base - 1 + k, excluded ? w / total : w);
}
