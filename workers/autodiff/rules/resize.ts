/** @file Gradient of Resize: separable, so one constant matrix per axis, whatever the mode. */

import { intsOf, stringOf } from '../../onnx/attributes.ts';
import type { Node } from '../../onnx/graph.ts';
import { axisOf, range, type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import { applyAlong, transposed } from '../along.ts';
import { constantInput } from '../refusal.ts';
import type { GradientRule } from '../rule.ts';
import { type Axis, interpolation } from './interpolation.ts';

/**
 * y = (A₁ ⊗ A₂ ⊗ …)·x, A_i the interpolation along axis i;  dx = A_iᵀ along every axis.
 * Nearest by a whole factor is a sum over blocks instead.
 * Source: https://onnx.ai/onnx/operators/onnx__Resize.html
 */
export const resize: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => [
  () => {
    const [from, to] = [shapeOf(x), shapeOf(y)];
    const axes = axesOf(node, from, to);
    const crops = isCrop(node);
    const changed = range(from.length).filter(
      (i) => from[i] !== to[i] || axes[i]!.scale !== 1 || crops,
    );
    if (changed.every((i) => isBlock(node, axes[i]!))) {
      const blocks = from.flatMap((s, i) => [s, to[i]! / s]);
      const inner = changed.map((i) => 2 * i + 1);
      return g.reshape(g.sum(g.reshape(d, blocks), inner), from);
    }
    return changed.reduce((v, i) => {
      const matrix = interpolation(node, axes[i]!);
      return applyAlong(g, v, i, transposed(matrix, to[i]!), from[i]!);
    }, d);
  },
  null,
  null,
  null,
];

const isCrop = (node: Node) =>
  stringOf(node, 'coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize';

/** Sizes, scale (as given, or as sizes imply it) and cropped part of each axis. */
function axesOf(node: Node, from: Shape, to: Shape): Axis[] {
  const named = intsOf(node, 'axes', range(from.length)).map((a) => axisOf(a, from.length));
  const scales = scalesOf(node, from, to, named);
  const roi = isCrop(node) ? constantInput(node, 1)! : [];
  return from.map((size, i) => {
    const at = named.indexOf(i);
    return {
      size,
      out: to[i]!,
      scale: at < 0 ? 1 : scales[at]!,
      start: (at < 0 ? undefined : roi[at]) ?? 0,
      end: (at < 0 ? undefined : roi[named.length + at]) ?? 1,
    };
  });
}

function scalesOf(node: Node, from: Shape, to: Shape, named: readonly number[]): number[] {
  const given = constantInput(node, 2) ?? [];
  if (given.length > 0) return given;
  const policy = stringOf(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch') return named.map((i) => to[i]! / from[i]!);
  const asked = constantInput(node, 3)!.map((size, k) => size / from[named[k]!]!);
  const one = policy === 'not_larger' ? Math.min(...asked) : Math.max(...asked);
  return named.map(() => one);
}

/** Nearest by a whole factor with a mode under which each source pixel is repeated in place. */
function isBlock(node: Node, axis: Axis): boolean {
  const { size, out, scale } = axis;
  const factor = out / size;
  if (stringOf(node, 'mode', 'nearest') !== 'nearest' || scale !== factor) return false;
  if (!Number.isInteger(factor)) return false;
  const matrix = interpolation(node, axis);
  return range(out).every((o) => matrix[o * size + Math.floor(o / factor)] === 1);
}
