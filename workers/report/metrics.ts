/** @file Every metric before and after, on val and, where the data set has one, on test. */

import type { Measured, Report } from '../../src/contract/report.ts';
import { dataTable, scoreCells } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';

export function metrics({ baseline, stages, headline }: Report): Markup | '' {
  const last: Measured = stages.at(-1)?.after ?? baseline;
  const names = Object.keys(baseline.metrics).toSorted(
    (a, b) => Number(b === headline) - Number(a === headline),
  );
  if (names.length === 0) return '';
  const { test } = baseline;
  const rows = names.map((name) => [
    format.metricName(name),
    ...scoreCells(baseline.metrics[name], last.metrics[name]),
    ...(test ? scoreCells(test[name], last.test?.[name]) : []),
  ]);
  const three = (split: string) => [`${split} before`, `${split} after`, 'change'];
  const head = ['metric', ...three('val'), ...(test ? three('test') : [])];
  const note = test
    ? 'Acceptance is decided on val; test is reported only.'
    : 'Measured on the val split.';
  return html`<h2>Accuracy</h2><p class="soft">${note}</p>${dataTable(head, rows)}`;
}
