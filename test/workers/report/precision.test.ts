/** @file The report of a quantized model: what runs in integers, what mixed precision tried. */

import { Value } from 'typebox/value';
import { expect, test } from 'vitest';

import { MixedPrecision } from '../../../src/contract/report.ts';
import { renderHtml } from '../../../workers/report/html.ts';
import { sampleReport } from './sample-report.ts';

const mixed: MixedPrecision = {
  budget: { minAgreement: 0.99 },
  held: true,
  flips: [{ tensor: 'stem<1>', to: 'float', harm: 0.02, macs: 1000 }],
  pareto: [
    { flips: 0, convMacs8bit: 0.98, agreement: 0.961, drop: null, held: false },
    { flips: 1, convMacs8bit: 0.91, agreement: 0.9912, drop: 0.002, held: true },
  ],
  sensitivitySeconds: 3,
};

const pageOf = (details: Record<string, unknown>) => {
  const report = sampleReport();
  report.stages.at(-1)!.details = details;
  return renderHtml(report);
};

test('the curve of a mixed model: every trial, the budget, what left 8 bits', () => {
  const page = pageOf({ mixed });

  expect(Value.Check(MixedPrecision, mixed)).toBe(true);
  expect(page).toContain('minAgreement 0.99');
  expect(page).toContain('holds it');
  expect(page).toContain('0.9912');
  expect(page).toContain('stem&lt;1&gt; (float)');
});

test('products in float come first, with the reason', () => {
  const page = pageOf({
    runs: [
      { tensor: 'a', op: 'Conv', as: 'QLinearConv' },
      { tensor: 'b', op: 'MatMul', as: null, reason: 'it multiplies two activations' },
    ],
  });

  expect(page).toContain('1 of 2 products in integers');
  expect(page.indexOf('it multiplies two activations')).toBeLessThan(page.indexOf('QLinearConv'));
});
