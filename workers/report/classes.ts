/** @file Per class: figures before and after, and precision-recall curves. */

import type { Measured, Report } from '../../src/contract/report.ts';
import { dataTable, scoreCells } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { curves } from './svg.ts';

/** Rows shown at once; the others are folded. */
const OPEN = 20;
const CURVES = 6;

export function classes(report: Report): Markup | '' {
  const last: Measured = report.stages.at(-1)?.after ?? report.baseline;
  const before = report.baseline.perClass ?? [];
  const after = new Map((last.perClass ?? []).map((c) => [c.name, c]));
  const counted = before.filter((c) => c.labels > 0);
  if (counted.length === 0) return '';
  const keys = Object.keys(counted[0]!.metrics);
  const rows = counted.map((c) => [
    c.name,
    { text: String(c.labels), alone: true },
    ...keys.flatMap((k) => scoreCells(c.metrics[k], after.get(c.name)?.metrics[k])),
  ]);
  const head = [
    'class',
    'labels',
    ...keys.flatMap((k) => [format.metricName(k), 'after', 'change']),
  ];
  const folded =
    rows.length > OPEN
      ? html`<details><summary>${rows.length - OPEN} more classes</summary>${dataTable(head, rows.slice(OPEN))}</details>`
      : '';
  return html`<h2>Classes (val)</h2>${dataTable(head, rows.slice(0, OPEN))}${folded}${prCurves(report, last)}`;
}

/** Before and after in one square for all classes and for each of those with the most labels. */
function prCurves({ baseline }: Report, last: Measured): Markup | '' {
  const labels = new Map((baseline.perClass ?? []).map((c) => [c.name, c.labels]));
  const weight = (name: string) => labels.get(name) ?? Number.POSITIVE_INFINITY; // all classes together
  const chosen = [...(baseline.curves ?? [])]
    .sort((a, b) => weight(b.name) - weight(a.name))
    .slice(0, CURVES);
  if (chosen.length === 0) return '';
  const charts = chosen.map((c) => {
    const now = last.curves?.find((d) => d.name === c.name && d.iou === c.iou);
    return curves(`${c.name}, IoU ${c.iou}`, 'recall', 'precision', [
      { label: 'before', colour: 'var(--before)', y: c.precision },
      ...(now ? [{ label: 'after', colour: 'var(--after)', y: now.precision }] : []),
    ]);
  });
  return html`<h3>Precision and recall</h3><div class="charts">${charts}</div>`;
}
