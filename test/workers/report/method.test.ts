/** @file The report of a quantization that learns: its steps, why it ended, the curve. */

import { expect, test } from 'vitest';

import { renderHtml } from '../../../workers/report/html.ts';
import { sampleReport } from './sample-report.ts';

const STEPS = [
  { step: 'ptq', agreement: 0.981, drop: 0.004, held: false, seconds: 20 },
  { step: 'qat', agreement: 0.9912, drop: null, held: true, seconds: 600 },
];
const QAT = {
  ...{ loss: 'none', metric: 'agreement', steps: 400, epochs: 4, lr: 2e-5, secondsPerStep: 0.8 },
  ...{ before: 0.981, best: 0.9912, bestStep: 390 },
  curve: [
    { step: 200, loss: 2, tune: 0.985 },
    { step: 400, loss: 1, tune: 0.9912 },
  ],
};

const pageOf = (details: Record<string, unknown>) => {
  const report = sampleReport();
  report.stages.at(-1)!.details = details;
  return renderHtml(report);
};

test('every step with its accuracy, the one that is kept, the reason and the curve', () => {
  const page = pageOf({ steps: STEPS, kept: 'qat', why: 'the budget <holds>', qat: QAT });

  expect(page).toContain('The budget &lt;holds&gt;.');
  expect(page).toContain('qat (kept)');
  expect(page).toContain('0.9810');
  expect(page).toContain('Trained 400 steps');
  expect(page).toContain('Over the run');
});

test('a stage that only trains has no steps of quantization', () => {
  expect(pageOf({ ...QAT })).not.toContain('Steps of quantization');
});
