/** @file Fake quantization: what it computes, and its two gradients, against the formulas and finite differences. */

import { expect, test } from 'vitest';

import { backward } from '../../../../workers/autodiff/backward.ts';
import { GraphBuilder } from '../../../../workers/onnx/builder.ts';
import { emptyModel, Value } from '../../../../workers/onnx/graph.ts';
import { roundHalfEven } from '../../../../workers/onnx/round.ts';
import { learnedStepGradients } from '../../../../workers/quantization/fake-quantize.ts';
import {
  fakeNode,
  fakeRule,
  writeOutFakes,
} from '../../../../workers/quantization/qat/fake-node.ts';
import { type Grid, gridOf, reduced } from '../../../../workers/quantization/qat/grid.ts';
import { random } from '../../../../workers/runtime/random.ts';
import { openSession } from '../../../../workers/runtime/session.ts';

interface Case {
  readonly dims: readonly number[];
  readonly grid: Grid;
  readonly axis?: number;
  readonly scales: readonly number[];
}

const CASES: Record<string, Case> = {
  'weights per channel, int8': {
    dims: [3, 4, 3, 3],
    grid: gridOf('int8', 0),
    axis: 0,
    scales: [0.004, 0.01, 0.02],
  },
  'weights along another axis, 7 bits': {
    dims: [5, 2],
    grid: reduced(gridOf('int8', 0)),
    axis: 1,
    scales: [0.01, 0.02],
  },
  'activations, uint8 with a zero point': {
    dims: [1, 4, 5, 5],
    grid: gridOf('uint8', 100),
    scales: [0.01],
  },
  'activations, int16': { dims: [1, 40], grid: gridOf('int16', 0), scales: [1e-4] },
};

/** y, dx and ds of one fake node, given dy. */
async function run({ dims, grid, axis, scales }: Case, x: Float32Array, dy: Float32Array) {
  const model = emptyModel(10, 21);
  const { graph } = model;
  const input = (name: string, shape: readonly number[]) => {
    const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape });
    graph.inputs.push(value);
    return value;
  };
  const sDims = axis === undefined ? [] : [scales.length];
  const [vx, vs, vd] = [input('x', dims), input('s', sDims), input('dy', dims)];
  const y = new Value('y', vx.type);
  graph.nodes.push(fakeNode({ x: vx, scale: vs, y, grid, axis }));
  const g = new GraphBuilder(graph);
  const outputs = backward(graph, [{ value: y, gradient: vd }], [vx, vs], { g, ruleOf: fakeRule });
  writeOutFakes(graph, g);
  graph.outputs = [y, ...outputs];
  const session = await openSession(model);
  const results = await session.run({
    x: { dims, data: x },
    s: { dims: sDims, data: Float32Array.from(scales) },
    dy: { dims, data: dy },
  });
  await session.release();
  const [ry, dx, ds] = graph.outputs.map((v) => results[v.name]!.data as Float32Array);
  return { y: ry!, dx: dx!, ds: ds! };
}

/** Numbers inside the grid and some beyond both of its ends. */
function numbers({ dims, grid, scales }: Case, seed: number): Float32Array {
  const rng = random(seed);
  const size = dims.reduce((a, b) => a * b, 1);
  const widest = Math.max(...scales) * Math.max(grid.qp, -grid.qn);
  return Float32Array.from({ length: size }, () => 1.3 * widest * (2 * rng.uniform() - 1));
}

const channelOf = ({ dims, axis }: Case) => {
  const inner = dims.slice((axis ?? 0) + 1).reduce((a, b) => a * b, 1);
  return (i: number) => (axis === undefined ? 0 : Math.floor(i / inner) % dims[axis]!);
};

test.each(Object.entries(CASES))('%s: codes and gradients as written', async (_, c) => {
  const [x, dy] = [numbers(c, 1), numbers(c, 2)];
  const { y, dx, ds } = await run(c, x, dy);
  const { qn, qp } = c.grid;
  const scales = Float32Array.from(c.scales);
  const of = channelOf(c);

  expect([...y]).toEqual(
    Array.from(x, (v, i) => {
      const s = scales[of(i)]!;
      const code = Math.max(qn, Math.min(qp, roundHalfEven(Math.fround(v / s))));
      return Math.fround(code * s);
    }).map((v) => (v === 0 ? expect.closeTo(0) : v)),
  );
  const formula = learnedStepGradients(x, dy, { qn, qp, channelOf: of, scales });
  expect([...dx]).toEqual([...formula.dx]);
  for (const [k, d] of ds.entries()) expect(d / formula.ds[k]!).toBeCloseTo(1, 4);
});

/**
 * Rounding counts as identity: with e = round(v) − v held, y = s·(clip(v) + e inside, clip(v) outside) is smooth in s.
 */
test.each(Object.entries(CASES))('%s: ds is a difference quotient', async (_, c) => {
  const [x, dy] = [numbers(c, 3), numbers(c, 4)];
  const { ds } = await run(c, x, dy);
  const { qn, qp } = c.grid;
  const of = channelOf(c);
  const held = Float64Array.from(x, (v, i) => {
    const q = v / c.scales[of(i)]!;
    return q > qn && q < qp ? roundHalfEven(q) - q : 0;
  });
  const loss = (k: number, s: number) =>
    x.reduce((sum, v, i) => {
      if (of(i) !== k) return sum;
      const clipped = Math.max(qn, Math.min(qp, v / s));
      return sum + dy[i]! * s * (clipped + held[i]!);
    }, 0);
  for (const [k, s] of c.scales.entries()) {
    const h = 1e-7 * s;
    const quotient = (loss(k, s + h) - loss(k, s - h)) / (2 * h);
    const count = x.filter((_, i) => of(i) === k).length;
    expect(ds[k]! / (quotient / Math.sqrt(count * qp))).toBeCloseTo(1, 3);
  }
});
