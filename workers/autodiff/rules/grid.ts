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

/** Everything that both gradients read; X and dY with their positions flat, (N, C, S) and (N, C, P). */
interface Sampling {
  readonly g: GraphBuilder;
  readonly x: Value;
  readonly dy: Value;
  readonly places: readonly Places[];
  readonly corners: readonly Corner[];
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
  const nearest = isNearest(node);
  if (stringOf(node, 'padding_mode', 'zeros') === 'reflection')
    refuse(node, "padding_mode 'reflection' has no rule");
  const [n, c, ...spatial] = shapeOf(x) as [number, number, ...number[]];
  const flat = (v: Value) => g.reshape(v, [n, c, sizeOf(shapeOf(v).slice(2))]);
  const places = spatial.map((size, i) => placesAlong(g, node, grid, spatial.length - 1 - i, size));
  const two = spatial.map(() => 2);
  const corners = range(nearest ? 1 : sizeOf(two)).map((k) =>
    corner(g, places, spatial, unravel(k, two), nearest),
  );
  const sampling: Sampling = { g, x: flat(x), dy: flat(d), places, corners };
  return [
    () => g.reshape(pixelGradient(sampling), shapeOf(x)),
    () => (nearest ? g.zeros(shapeOf(grid), d) : gridGradient(sampling, shapeOf(grid))),
  ];
};

function isNearest(node: Node): boolean {
  const mode = stringOf(node, 'mode', 'linear');
  if (mode === 'nearest') return true;
  return ['linear', 'bilinear'].includes(mode) ? false : refuse(node, `mode '${mode}' has no rule`);
}

/** (N, 1, P) → (N, C, P). */
const forChannels = ({ g, dy }: Sampling, index: Value) =>
  g.op('Expand', [index, g.ints(shapeOf(dy))], shapeOf(dy));

function pixelGradient(sampling: Sampling): Value {
  const { g, x, dy, corners } = sampling;
  const attributes = {
    axis: { type: 'int', value: 2 },
    reduction: { type: 'string', value: 'add' },
  } as const;
  return corners.reduce(
    (sum, { index, valid, weights }) => {
      const updates = g.mul(dy, weights.reduce(g.mul, valid));
      const at = forChannels(sampling, index);
      return g.op('ScatterElements', [sum, at, updates], shapeOf(x), attributes);
    },
    g.zeros(shapeOf(x), dy),
  );
}

function gridGradient(sampling: Sampling, shape: Shape): Value {
  const { g, x, dy, places, corners } = sampling;
  const seen = corners.map(({ index }) => {
    const at = forChannels(sampling, index);
    const pixels = g.op('GatherElements', [x, at], shapeOf(dy), {
      axis: { type: 'int', value: 2 },
    });
    return g.sum(g.mul(dy, pixels), [1]);
  });
  const columns = places.map(({ slope }, axis) => {
    const slopes = corners.map(({ valid, weights, bits }, k) => {
      const others = weights.filter((_, i) => i !== axis).reduce(g.mul, valid);
      return g.mul(seen[k]!, g.scale(others, bits[axis] === 1 ? 1 : -1));
    });
    return g.reshape(g.mul(slopes.reduce(g.add), slope), [...shape.slice(0, -1), 1]);
  });
  return g.concat(columns.reverse(), shape.length - 1);
}

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
  nearest: boolean,
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
    weights: nearest ? [] : places.map(({ rest }, i) => (bits[i] === 1 ? rest : g.sub(one, rest))),
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
