/** @file ConvTranspose against the plain Conv that stands for it, and what has none. */

import { expect, test } from 'vitest';

import { plainTransposed } from '../../../workers/autodiff/transposed-convolutions.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { canonical } from '../../../workers/training/canonical.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

/** X, W, attributes, Y, op that is left. */
const CASES: [string, number[], number[], string, number[], string][] = [
  ['bias and pads', [2, 4, 5, 6], [4, 6, 3, 3], 'pads = [1, 0, 1, 2]', [2, 6, 5, 6], 'Conv'],
  ['groups', [1, 4, 5, 5], [4, 3, 3, 2], 'group = 2', [1, 6, 7, 6], 'Conv'],
  ['dilations', [1, 4, 5, 5], [4, 6, 3, 3], 'dilations = [2, 1]', [1, 6, 9, 7], 'Conv'],
  ['one axis', [1, 4, 9], [4, 6, 3], 'pads = [1, 1]', [1, 6, 9], 'Conv'],
  ['stride 2', [1, 4, 5, 5], [4, 6, 3, 3], 'strides = [2, 2]', [1, 6, 11, 11], 'ConvTranspose'],
  ['cut', [1, 4, 5, 5], [4, 6, 1, 1], 'pads = [1, 1, 1, 1]', [1, 6, 3, 3], 'ConvTranspose'],
];

async function run(model: Model, dims: readonly number[]): Promise<number[]> {
  const session = await openSession(model);
  const { data } = randomWeight(dims, 3);
  const { y } = await session.run({ x: { dims, data: Float32Array.from(data) } });
  await session.release();
  return [...y!.data].map(Number);
}

test.for(CASES)('%s: every number stays', async ([, x, w, attributes, y, op]) => {
  const text = `(float[${x}] x, float[${w}] w, float[6] b) => (float[${y}] y) {
    y = ConvTranspose<${attributes}>(x, w, b) }`;
  const weights = { w: randomWeight(w, 1), b: randomWeight([6], 2) };
  const [old, made] = [
    await canonical(modelOf(text, weights)),
    await canonical(modelOf(text, weights)),
  ];
  plainTransposed(new GraphBuilder(made.graph));
  expect(made.graph.nodes.at(-1)!.op).toBe(op);
  const expected = await run(old, x);
  for (const [i, v] of (await run(made, x)).entries()) expect(v).toBeCloseTo(expected[i]!, 5);
});
