import { isDeepStrictEqual } from 'node:util';

import { expect, test } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import { CANONICAL_OPSET, normalize } from '../../../workers/onnx/normalize.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { parseText, printText } from '../../../workers/onnx/text.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { NO_SHARED_DATA, sharedData } from '../../helpers/shared-data.ts';
import { type ConformanceCase, feedsOf, readConformanceCases } from './conformance-cases.ts';
import { answerOf, relativeError, sameAnswer } from './same-results.ts';

const archive = sharedData()?.conformance;
const cases = archive ? await readConformanceCases(archive) : [];
const absent = archive === undefined;
if (absent) console.warn(`skipped: ${NO_SHARED_DATA}`);

/** Opsets outside Lathe's range are read too: only what it would work on is checked. */
const decode = (bytes: Uint8Array) => readModel(bytes, { check: false });

const named = (list: readonly ConformanceCase[]) => list.map((c) => `${c.set}/${c.name}`);

test.skipIf(absent)('every case reads and writes back with equal structure', () => {
  const changed = cases.filter(({ model }) => {
    const read = decode(model);
    return !isDeepStrictEqual(read, decode(writeModel(read)));
  });

  expect(cases.length).toBeGreaterThan(0);
  expect(named(changed)).toEqual([]);
});

test.skipIf(absent)('the text form of every case reads back as the same text', () => {
  const changed = cases.filter(({ model }) => {
    const text = printText(decode(model));
    return printText(parseText(text)) !== text;
  });

  expect(named(changed)).toEqual([]);
});

test.skipIf(absent)(
  'every case of opsets 7 to 25 passes the checks; the others are refused by opset',
  () => {
    const odd = cases.flatMap((c) => {
      const opset = decode(c.model).opsets[''] ?? 7;
      try {
        readModel(c.model);
        return opset >= 7 && opset <= 25 ? [] : [`${c.name}: opset ${opset} was let in`];
      } catch (error) {
        const { code, message } = error as Error & { code?: string };
        const fits = code === 'OPSET_UNSUPPORTED' && (opset < 7 || opset > 25);
        return fits ? [] : [`${c.name}: ${message}`];
      }
    });

    expect(odd).toEqual([]);
  },
);

test.skipIf(absent)(
  'what the runtime can run computes the same bits after reading and writing',
  async () => {
    const runnable = cases.filter((c) => c.set !== 'light' && c.inputs.length > 0);
    const changed: ConformanceCase[] = [];
    let ran = 0;
    for (const c of runnable) {
      const model = decode(c.model);
      const feeds = feedsOf(c, model);
      if (feeds === undefined) continue;
      const before = await answerOf(c.model, feeds);
      if (!('refused' in before)) ran++;
      if (!sameAnswer(before, await answerOf(writeModel(model), feeds))) changed.push(c);
    }

    expect(named(changed)).toEqual([]);
    expect(ran).toBeGreaterThan(runnable.length * 0.7);
  },
);

test.skipIf(absent)('cases of older opsets compute the same after raising', async () => {
  const wrong: string[] = [];
  let raised = 0;
  for (const c of cases) {
    const model = decode(c.model);
    const opset = model.opsets[''] ?? 0;
    const feeds =
      opset >= 7 && opset < CANONICAL_OPSET && c.set !== 'light' ? feedsOf(c, model) : undefined;
    if (feeds === undefined || hasBatchedScan(model)) continue;
    const before = await answerOf(c.model, feeds);
    normalize(model);
    if ('outputs' in before) raised++;
    if (relativeError(before, await answerOf(writeModel(model), feeds)) > 1e-6) wrong.push(c.name);
  }

  expect(wrong).toEqual([]);
  expect(raised).toBeGreaterThan(0);
});

/** The one form without a counterpart: it is refused, as its own test says. */
const hasBatchedScan = ({ opsets, graph }: Model) =>
  (opsets[''] ?? 9) < 9 && graph.nodes.some((n) => n.op === 'Scan');
