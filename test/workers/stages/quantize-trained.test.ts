/** @file Methods qat and hybrid of the stage: what is refused, and what a run says of itself. */

import { Value } from 'typebox/value';
import { expect, test } from 'vitest';

import { quantize } from '../../../workers/stages/quantize.ts';
import { classifier } from '../quantization/qat/classifier.ts';
import { options, quantizing } from './quantizing.ts';

const REFUSED = [
  [{ method: 'qat', precision: 'fp16' }, ['method', 'precision']],
  [{ method: 'hybrid', precision: 'mixed' }, ['method', 'precision']],
  [{ method: 'hybrid', precision: 'weights-int4' }, ['method', 'precision']],
  [{ method: 'qat', qat: { steps: 3, minutes: 1 } }, ['steps', 'minutes']],
] as const;

test.each(REFUSED)('%j is refused before any work', (given, named) => {
  expect(() => quantize.prepare!(classifier(), options(given))).toThrow(
    expect.objectContaining({
      code: 'OPTIONS_CONFLICT',
      facts: expect.objectContaining({ options: named }),
    }),
  );
});

test('the budget counts where something is decided by it', () => {
  const needs = (given: object) => Value.Check(quantize.needsBudget!, options(given));
  expect(needs({})).toBe(false);
  expect(needs({ method: 'qat' })).toBe(true);
  expect(needs({ method: 'hybrid' })).toBe(true);
});

const SHORT = { steps: 4, batch: 4, augment: false };

test('hybrid ends with the first step that holds', async () => {
  const { ctx, told } = await quantizing(classifier(), { minAgreement: 0.01 });
  const { details } = await quantize.run(classifier(), options({ method: 'hybrid' }), ctx);
  expect(details).toMatchObject({ method: 'hybrid', kept: 'ptq', qat: null });
  expect(details['steps']).toHaveLength(1);
  expect(told.metrics).toContainEqual(expect.objectContaining({ at: 'step', step: 'ptq' }));
});

test('hybrid goes to its end where no step holds, and says so', async () => {
  const { ctx, told } = await quantizing(classifier(), { minAgreement: 1, maxDrop: 0 });
  const given = options({ method: 'hybrid', qat: SHORT });
  const unreachable = { ...ctx, budget: { minAgreement: 1.1 } };
  const { model, details } = await quantize.run(classifier(), given, unreachable);
  const steps = details['steps'] as { step: string; held: boolean }[];
  expect(steps.map((s) => s.step)).toEqual(['ptq', 'adaround', 'qat']);
  expect(steps.every((s) => !s.held)).toBe(true);
  expect(details['qat']).toMatchObject({ steps: 4, lr: 2e-5, estimator: 'lsq' });
  expect(told.warnings.join()).toMatch(/holds after none of ptq, adaround, qat/);
  expect(model.graph.nodes.some((n) => n.op === 'QuantizeLinear')).toBe(true);
  quantize.ensures(classifier(), model);
});

test('qat trains whatever the budget, and without images nothing', async () => {
  const { ctx } = await quantizing(classifier(), undefined);
  const { details } = await quantize.run(
    classifier(),
    options({ method: 'qat', qat: { ...SHORT, estimator: 'ste' } }),
    ctx,
  );
  expect(details).toMatchObject({ method: 'qat', qat: { estimator: 'ste', ranges: 0 } });
  await expect(
    quantize.run(classifier(), options({ method: 'qat' }), { ...ctx, dataset: undefined }),
  ).rejects.toMatchObject({ code: expect.stringMatching(/DATASET_REQUIRED|SPLIT_MISSING/) });
});
