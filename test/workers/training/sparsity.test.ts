/** @file Zeros while training: they stay, and pressure makes more. */

import { expect, test } from 'vitest';

import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { type Model, Value } from '../../../workers/onnx/graph.ts';
import { parseText } from '../../../workers/onnx/parse-text.ts';
import { Tensor } from '../../../workers/onnx/tensor.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { groupsOf } from '../../../workers/training/flat-groups.ts';
import type { TrainedTensor } from '../../../workers/training/parameters.ts';
import { type Pressure, settled } from '../../../workers/training/sparsity.ts';

/** Two filters of four weights and one of them pruned, beside a weight of all zeros. */
const PARAMETERS: readonly TrainedTensor[] = [
  parameter('a', [2, 4], [0, 0.5, 0, -0.3, 0.1, 0, 0.2, 0.05]),
  parameter('b', [1, 2], [0, 0]),
];

/** What an optimizer might make of them. */
const STEPPED = [0.02, 0.4, -0.03, -0.3, 0.1, 0.01, 0.2, 0.05, 0.02, -0.01];

test.each<[string, Pressure | undefined, readonly number[]]>([
  ['nothing asked for: zeros stay', undefined, [0, 0.4, 0, -0.3, 0.1, 0, 0.2, 0.05, 0.02, -0.01]],
  [
    'l1: every weight comes nearer by t',
    { kind: 'l1', strength: 0.3 },
    [0, 0.37, 0, -0.27, 0.07, 0, 0.17, 0.02, 0, 0],
  ],
])('%s', async (_, pressure, expected) => {
  const found = await settle(pressure, 0.1);
  for (const [i, w] of found.entries()) expect(w).toBeCloseTo(expected[i]!, 6);
});

test('group-lasso: filters become shorter, weak ones vanish', async () => {
  const found = await settle({ kind: 'group-lasso', strength: 1 }, 0.1);
  const norm = (w: readonly number[]) => Math.hypot(...w);
  const [strong, weak, tiny] = [
    [0, 4],
    [4, 8],
    [8, 10],
  ].map(([from, to]) => found.slice(from, to));
  expect(norm(strong!)).toBeGreaterThan(0.25);
  expect(norm(strong!)).toBeLessThan(norm(STEPPED.slice(0, 4)) - 0.15);
  expect(norm(weak!)).toBeLessThan(norm(STEPPED.slice(4, 8)) - 0.15);
  expect(tiny!.map(Math.abs)).toEqual([0, 0]);
});

function parameter(name: string, dims: readonly number[], data: readonly number[]): TrainedTensor {
  const initial = Tensor.float32(dims, data);
  const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape: dims }, initial);
  return { value, initial, role: 'weight' };
}

async function settle(pressure: Pressure | undefined, rate: number): Promise<number[]> {
  const model: Model = parseText(
    `<ir_version: 10, opset_import: ["" : 21]> g (float[${STEPPED.length}] w, float lr) => (float[${STEPPED.length}] w) { }`,
  );
  const g = new GraphBuilder(model.graph);
  const [w, lr] = model.graph.inputs as [Value, Value];
  lr.type = { kind: 'tensor', dtype: 'float32', shape: [] };
  const [group] = groupsOf(PARAMETERS, 0.01);
  model.graph.outputs = [settled(g, group!, w, lr, pressure)];
  const session = await openSession(model);
  try {
    const feeds = {
      w: { dims: [STEPPED.length], data: Float32Array.from(STEPPED) },
      lr: { dims: [], data: Float32Array.of(rate) },
    };
    const [y] = Object.values(await session.run(feeds));
    return [...(y!.data as Float32Array)];
  } finally {
    await session.release();
  }
}
