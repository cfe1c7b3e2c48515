/** @file Gradients of sampling at computed places: GridSample, and the AffineGrid that computes them. */

import { intOf, stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { range, type Shape, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { constantInput, refuse } from '../refusal.ts';
import type { GradientRule } from '../rule.ts';
import { unravel } from './convolution.ts';

/** Where samples lie along one spatial axis, (N, 1, P) each. */
interface Places {
  /** Nearest pixel below, as a number. */
  readonly base: Value;
  /** Distance from there, 0…1. */
  readonly rest: Value;
  /** Pixels per unit of the grid; 0 where the border stopped the sample. */
  readonly slope: Value;
}

/** One of the 2ⁿ pixels around each sample: its flat index, and what weighs it along each axis. */
interface Corner {
  readonly index: Value;
  readonly valid: Value;
  readonly weights: readonly Value[];
  readonly bits: readonly number[];
}

/**
 * Y[n, c, p] = Σ over the 2ⁿ pixels around G[n, p] of Π (1 − distance along each axis) · X[n, c, pixel]
 *
 *     dX = Σ of weight·dY over the samples that used a pixel
 *     dG = Σ over pixels of ± Π of the other axes' weights · Σ_c dY·X[pixel], times pixels per unit
 *
 * Shapes: X (N, C, S…), G (N, O…, n) with the last axis first, −1…1 across X; Y (N, C, O…). Nearest moves in steps: its
 * grid has no gradient.
 * Source: https://onnx.ai/onnx/operators/onnx__GridSample.html
 */
export const gridSample: GradientRule = ({ node, x: [x, grid], dy: [d], g }) => {
  const mode = stringOf(node, 'mode', 'linear')
    .replace('bilinear', 'linear')
    .replace('bicubic', 'cubic');
  const padding = stringOf(node, 'padding_mode', 'zeros');
  if (mode !== 'linear' && mode !== 'nearest') refuse(node, `mode '${mode}' has no rule`);
  if (padding === 'reflection') refuse(node, "padding_mode 'reflection' has no rule");
  const [n, c, ...spatial] = shapeOf(x) as [number, number, ...number[]];
  const samples = sizeOf(shapeOf(d).slice(2));
  const flat = (v: Value) => g.reshape(v, [n, c, sizeOf(shapeOf(v).slice(2))]);
  const dy = flat(d);
  const places = spatial.map((size, i) => placesAlong(g, node, grid, spatial.length - 1 - i, size));
  const corners = range(mode === 'nearest' ? 1 : 2 ** spatial.length).map((k) =>
    corner(
      g,
      places,
      spatial,
      unravel(
        k,
        spatial.map(() => 2),
      ),
    ),
  );
  const wide = (index: Value) => g.op('Expand', [index, g.ints([n, c, samples])], [n, c, samples]);
  const dX = () =>
    corners.reduce(
      (sum, { index, valid, weights }) => {
        const weight = mode === 'nearest' ? valid : weights.reduce(g.mul, valid);
        return g.op('ScatterElements', [sum, wide(index), g.mul(dy, weight)], shapeOf(sum), {
          axis: { type: 'int', value: 2 },
          reduction: { type: 'string', value: 'add' },
        });
      },
      g.zeros([n, c, sizeOf(spatial)], d),
    );
  const dGrid = () => {
    if (mode === 'nearest') return g.zeros(shapeOf(grid), d);
    const along = spatial.map((_, axis) => {
      const slopes = corners.map(({ index, valid, weights, bits }) => {
        const seen = g.op('GatherElements', [flat(x), wide(index)], [n, c, samples], {
          axis: { type: 'int', value: 2 },
        });
        const others = weights.filter((_, i) => i !== axis).reduce(g.mul, valid);
        return g.mul(g.sum(g.mul(dy, seen), [1]), g.scale(others, bits[axis] === 1 ? 1 : -1));
      });
      return g.mul(slopes.reduce(g.add), places[axis]!.slope);
    });
    const columns = along.toReversed().map((v) => g.reshape(v, [n, samples, 1]));
    return g.reshape(g.concat(columns, 2), shapeOf(grid));
  };
  return [() => g.reshape(dX(), shapeOf(x)), dGrid];
};

/** The grid's numbers for one axis, in pixels. */
function placesAlong(
  g: GraphBuilder,
  node: Node,
  grid: Value,
  column: number,
  size: number,
): Places {
  const shape = shapeOf(grid);
  const last = shape.length - 1;
  const own = g.slice(grid, [last], [column], [column + 1], [1]);
  const unit = g.reshape(own, [shape[0]!, 1, sizeOf(shape.slice(1, -1))]);
  const aligned = intOf(node, 'align_corners', 0) === 1;
  const perUnit = (aligned ? size - 1 : size) / 2;
  const at = g.plus(g.scale(unit, perUnit), (size - 1) / 2);
  const stops = stringOf(node, 'padding_mode', 'zeros') === 'border';
  const clamped = stops
    ? g.op('Clip', [at, g.scalar(0, at), g.scalar(size - 1, at)], shapeOf(at))
    : at;
  const moves = g.indicator(g.compare('Equal', at, clamped), at);
  if (stringOf(node, 'mode', 'linear') === 'nearest')
    return { base: g.unary('Round', clamped), rest: clamped, slope: moves };
  const base = g.unary('Floor', clamped);
  return { base, rest: g.sub(clamped, base), slope: g.scale(moves, perUnit) };
}

function corner(
  g: GraphBuilder,
  places: readonly Places[],
  spatial: Shape,
  bits: readonly number[],
): Corner {
  const one = g.scalar(1, places[0]!.base);
  const pixels = places.map(({ base }, i) => (bits[i] === 1 ? g.plus(base, 1) : base));
  const clamped = pixels.map((pixel, i) =>
    g.op('Clip', [pixel, g.scalar(0, pixel), g.scalar(spatial[i]! - 1, pixel)], shapeOf(pixel)),
  );
  const inside = pixels.map((pixel, i) =>
    g.indicator(g.compare('Equal', pixel, clamped[i]!), pixel),
  );
  const flat = clamped.reduce((index, pixel, i) => g.add(g.scale(index, spatial[i]!), pixel));
  return {
    index: g.op('Cast', [flat], shapeOf(flat), { to: { type: 'int', value: 7 } }, 'int64'),
    valid: inside.reduce(g.mul),
    weights: places.map(({ rest }, i) => (bits[i] === 1 ? rest : g.sub(one, rest))),
    bits,
  };
}

/**
 * G[n, p, i] = Σ_j θ[n, i, j]·(place p, 1)[j];  dθ = dGᵀ·places.
 *
 * Shapes: θ (N, n, n + 1), G (N, O…, n); places span −1…1, pixel centres half a pixel inside unless align_corners.
 */
export const affineGrid: GradientRule = ({ node, x: [theta], dy: [d], g }) => [
  () => {
    const [batch, , ...spatial] = constantInput(node, 1) as [number, number, ...number[]];
    const aligned = intOf(node, 'align_corners', 0) === 1;
    const count = sizeOf(spatial);
    const at = (size: number, k: number) => {
      if (aligned) return size === 1 ? 0 : -1 + (2 * k) / (size - 1);
      return -1 + (2 * k + 1) / size;
    };
    const places = range(count).flatMap((p) => {
      const pixel = unravel(p, spatial).map((k, i) => at(spatial[i]!, k));
      return [...pixel.reverse(), 1];
    });
    const flat = g.reshape(d, [batch, count, spatial.length]);
    return g.matmul(g.swap(flat), g.floats([count, spatial.length + 1], places, theta));
  },
  null,
];
