/** @file What `simplify` owes every graph of the zoo. */

import { expect } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { GraphIndex } from '../../../workers/onnx/uses.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { type Simplified, simplify } from '../../../workers/passes/simplify.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { compareParts, cutsOf } from '../../../workers/runtime/parts.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import type { ZooEntry } from '../../helpers/shared-data.ts';
import { filledZooModel } from '../../helpers/zoo.ts';

export const countOps = (model: Model, op: string) =>
  model.graph.nodes.filter((n) => n.op === op).length;

/** Largest error of any part of any output on an input that no proof has seen. */
export async function differenceOf(before: Model, after: Model): Promise<number> {
  await inferTypes(before);
  const feeds = randomInputs(before, 77);
  const [a, b] = [await answers(before, feeds), await answers(after, feeds)];
  const errors = before.graph.outputs.map(
    (v) => compareParts(a[v.name]!, b[v.name]!, cutsOf(before.graph, v)).error,
  );
  return Math.max(...errors);
}

async function answers(model: Model, feeds: ReturnType<typeof randomInputs>) {
  const session = await openSession(model, { threads: 2, optimize: 'disabled' });
  const outputs = await session.run(feeds);
  await session.release();
  return outputs;
}

/** Sums in other orders over deep graphs of random weights; a wrong rewrite is far outside. */
const TOLERANCE = 2e-4;

/** Simplify an entry: proved, not larger, nothing foldable left. @returns what came of it */
export async function expectSimplified(entry: ZooEntry): Promise<Simplified> {
  const model = filledZooModel(entry);
  const foldable = foldableNorms(model);

  const result = await simplify(model, { threads: 2 });

  const written = readModel(writeModel(result.model));
  expect(result.rolledBack).toEqual([]);
  expect(result.bytes.after).toBeLessThanOrEqual(result.bytes.before);
  expect(result.nodes.after).toBeLessThanOrEqual(result.nodes.before);
  expect(written.opsets).toEqual(model.opsets);
  expect(written.metadata).toEqual(model.metadata);
  expect(written.graph.outputs.map((v) => [v.name, v.type])).toEqual(
    model.graph.outputs.map((v) => [v.name, v.type]),
  );
  for (const op of ['Identity', 'Constant', 'Dropout']) expect(countOps(written, op)).toBe(0);
  expect(countOps(written, 'BatchNormalization')).toBe(
    countOps(model, 'BatchNormalization') - foldable,
  );
  expect(await differenceOf(model, written)).toBeLessThan(TOLERANCE);
  return result;
}

/** BatchNormalizations that alone read a Conv. */
function foldableNorms(model: Model): number {
  const index = new GraphIndex(model.graph);
  return model.graph.nodes.filter((n) => {
    const x = n.inputs[0]!;
    return (
      n.op === 'BatchNormalization' &&
      index.producer(x)?.op === 'Conv' &&
      index.uses(x).length === 1
    );
  }).length;
}
