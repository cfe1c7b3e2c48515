/** @file Gradients of whole graphs: beside central differences, and at work. */

import { afterAll, expect, test } from 'vitest';

import type { Model } from '../../workers/onnx/graph.ts';
import { canonical } from '../../workers/training/canonical.ts';
import { trainability } from '../../workers/training/trainable.ts';
import { NO_SHARED_DATA, sharedData, type ZooEntry } from '../helpers/shared-data.ts';
import { filledZooModel } from '../helpers/zoo.ts';
import { checkDirections } from '../workers/training/directional.ts';
import { trainOnOneBatch } from '../workers/training/fixed-batch.ts';

const zoo = (sharedData()?.zoo() ?? []).toSorted((a, b) => a.macs - b.macs);
if (zoo.length === 0) console.warn(`skipped: ${NO_SHARED_DATA}`);
const cases = zoo.map((entry) => [entry.name, entry] as const);

/** Share of the graphs that must have gradients; the others are refused with a reason. */
const SHARE = 30 / 32;
const refused: string[] = [];

/** At the sizes that the zoo ran it at. */
function zooModel(entry: ZooEntry): Model {
  const model = filledZooModel(entry);
  for (const value of model.graph.inputs) {
    const shape = entry.inputs.find(({ name }) => name === value.name)?.run_shape;
    if (shape && value.type?.kind === 'tensor') value.type = { ...value.type, shape };
  }
  return model;
}

/** @returns whether it is one of those that are refused; then it says why */
async function isRefused(model: Model, name: string): Promise<boolean> {
  const found = await trainability(model);
  if (found.trainable) return false;
  expect(found.why).not.toBe('');
  refused.push(`${name}: ${found.why}`);
  return true;
}

test.skipIf(zoo.length === 0).for(cases)(
  'zoo %s: gradients agree with differences along 5 directions to 1e-2, built within 1 s per 233 nodes',
  async ([name, entry]) => {
    const model = zooModel(entry);
    if (await isRefused(model, name)) return;

    const { errors, weights, nodes, buildSeconds } = await checkDirections(await canonical(model));

    console.log(
      `${name}: ${Math.max(...errors).toExponential(1)}, ${weights} weights, ${nodes} nodes, ${buildSeconds.toFixed(2)} s`,
    );
    expect(Math.max(...errors)).toBeLessThan(1e-2);
    expect(buildSeconds).toBeLessThan(Math.max(1, nodes / 233));
  },
);

test.skipIf(zoo.length === 0).for(cases)(
  'zoo %s: 20 steps on a fixed batch lower the loss by 10 %',
  async ([name, entry]) => {
    const model = zooModel(entry);
    if (await isRefused(model, name)) return;

    const { loss, before, after } = await trainOnOneBatch(model, entry.inputs[0]!.run_shape[0]!);

    console.log(`${name}: ${loss} ${before.toPrecision(4)} to ${after.toPrecision(4)}`);
    expect(after).toBeLessThan(0.9 * before);
  },
);

afterAll(() => {
  const graphs = new Set(refused.map((line) => line.split(':')[0]));
  expect(graphs.size, refused.join('\n')).toBeLessThanOrEqual((1 - SHARE) * zoo.length);
});
