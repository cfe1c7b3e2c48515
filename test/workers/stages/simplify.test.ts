import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Value } from 'typebox/value';
import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import type { RunContext } from '../../../workers/runtime/context.ts';
import { STAGES } from '../../../workers/stages/registry.ts';
import { simplify } from '../../../workers/stages/simplify.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';

const text = `(float[N,3,H,W] X) => (float[N,4] Y)
  <float[4,3,1,1] W0 = {${Array.from({ length: 12 }, (_, i) => i / 7 - 0.8)}},
   float[4] s = {1,2,3,4}, float[4] b = {0.5,1,0,-1}, float[4] m = {1,0,2,3}, float[4] v = {1,2,0.5,4}>
  { H0 = Conv(X, W0) N0 = BatchNormalization(H0, s, b, m, v) R = Relu(N0) G = GlobalAveragePool(R)
    I = Identity(G) Y = Flatten(I) }`;

async function run(options: Record<string, unknown>, signal = new AbortController().signal) {
  const scratch = mkdtempSync(join(tmpdir(), 'simplify-'));
  const model = parseText(text);
  const task = bindTask(model, { task: 'generic' });
  const progress: number[] = [];
  const warnings: string[] = [];
  const ctx: RunContext = {
    signal,
    seed: 0,
    threads: 1,
    provider: 'cpu',
    dataset: undefined,
    task,
    preprocess: task.preprocess,
    otherModel: () => Promise.resolve(parseText(text)),
    scratch,
    progress: (done) => progress.push(done),
    warn: (message) => warnings.push(message),
    info: () => {},
    metric: () => {},
  };
  try {
    const chosen = Value.Default(simplify.options, options) as never;
    simplify.prepare?.(model, chosen);
    const before = parseText(text);
    const result = await simplify.run(model, chosen, ctx);
    simplify.ensures(before, result.model);
    return { ...result, progress, warnings };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

test('tells what each pass did, what it proved, and what it saved', async () => {
  const { model, details, progress, warnings } = await run({});

  expect(model.graph.nodes.map((n) => n.op)).toEqual([
    'Conv',
    'Relu',
    'GlobalAveragePool',
    'Flatten',
  ]);
  expect(details).toMatchObject({
    nodes: { before: 6, after: 4 },
    passes: expect.arrayContaining([
      {
        pass: 'foldBatchNorm',
        summary: expect.any(String),
        changes: 1,
        maxError: expect.any(Number),
      },
      { pass: 'dropNoOps', summary: expect.any(String), changes: 1, maxError: expect.any(Number) },
    ]),
    rolledBack: [],
  });
  const { before, after } = details['bytes'] as { before: number; after: number };
  expect(after).toBeLessThan(before);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(warnings).toEqual([]);
});

test('inputShape fixes open axes and says so', async () => {
  const { model, details } = await run({ inputShape: [1, 3, 32, 64] });

  const types = [...model.graph.inputs, ...model.graph.outputs].map(({ type }) => type);
  expect(types).toMatchObject([{ shape: [1, 3, 32, 64] }, { shape: [1, 4] }]);
  expect(details['inputShape']).toEqual({ X: { from: ['N', 3, 'H', 'W'], to: [1, 3, 32, 64] } });
});

test('a shape that cannot be meant is refused before any work', async () => {
  await expect(run({ inputShape: { images: [1, 3, 32, 32] } })).rejects.toMatchObject({
    code: 'INPUT_SHAPE_UNSUPPORTED',
  });
});

test('cancellation stops it', async () => {
  const stop = new AbortController();
  stop.abort(new Error('cancelled'));

  await expect(run({}, stop.signal)).rejects.toThrow('cancelled');
});

test.each([
  [{}, true],
  [{ inputShape: [1, 3, 320, 320] }, true],
  [{ inputShape: { images: [-1, 3, 320, 320] } }, true],
  [{ inputShape: 'small' }, false],
  [{ inputShape: [1, 3, 0.5, 320] }, false],
  [{ dequantize: true }, true],
  [{ dequantize: 'yes' }, false],
  [{ inputshape: [1] }, false],
])('options %j: valid %s', (options, valid) => {
  const filled = Value.Default(STAGES.simplify.options, structuredClone(options));

  expect(Value.Check(STAGES.simplify.options, filled)).toBe(valid);
});
