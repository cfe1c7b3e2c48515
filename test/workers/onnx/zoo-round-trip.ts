/** @file Read, raise and write zoo graphs: what each must still compute. */

import { expect } from 'vitest';

import { normalize } from '../../../workers/onnx/normalize.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import type { ZooEntry } from '../../helpers/shared-data.ts';
import { answerOf, relativeError, sameAnswer } from './same-results.ts';
import { filledZooBytes, zooFeeds } from './zoo.ts';

interface CheckValues {
  readonly name: string;
  readonly first: readonly number[];
  readonly absmax: number;
}

/** The file and its rewritten form give equal bits, and the first values that the manifest holds. */
export async function expectRoundTrip(entry: ZooEntry): Promise<void> {
  const bytes = filledZooBytes(entry);
  const feeds = zooFeeds(entry, () => 0.5);

  const before = await answerOf(bytes, feeds);
  const after = await answerOf(writeModel(readModel(bytes)), feeds);

  expect(sameAnswer(before, after)).toBe(true);
  if ('refused' in after) throw new Error(after.refused);
  for (const { name, first, absmax } of entry['check'] as readonly CheckValues[]) {
    const values = after.outputs[name]!.data;
    const worst = Math.max(...first.map((y, i) => Math.abs(Number(values[i]) - y)));
    expect(worst / absmax, name).toBeLessThan(1e-4);
  }
}

/** Raised to the canonical opset, the graph gives the same outputs to 1e-6 of their scale. */
export async function expectRaised(entry: ZooEntry): Promise<void> {
  const bytes = filledZooBytes(entry);
  const feeds = zooFeeds(entry, (i) => ((i * 7919) % 1000) / 1000);
  const model = readModel(bytes);
  normalize(model);

  const [before, after] = [await answerOf(bytes, feeds), await answerOf(writeModel(model), feeds)];

  expect(relativeError(before, after)).toBeLessThan(1e-6);
}
