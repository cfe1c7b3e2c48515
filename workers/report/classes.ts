/** @file Per class: figures before and after, and precision-recall curves. */

import type { Measured, Report } from '../../src/contract/report.ts';
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
  const cell = (x: number | null | undefined) =>
    x === null || x === undefined ? '–' : format.score(x);
  const rows = counted.map((c) => {
    const now = after.get(c.name)?.metrics ?? {};
    return html`<tr><td>${c.name}</td><td>${c.labels}</td>${keys.map((k) => {
      const [x, y] = [c.metrics[k], now[k]];
      const change =
        x !== null && x !== undefined && y !== null && y !== undefined ? y - x : undefined;
      return html`<td>${cell(x)}</td><td>${cell(y)}</td><td class="${change === undefined || Math.abs(change) < 0.0005 ? 'soft' : change < 0 ? 'bad' : 'good'}">${change === undefined ? '–' : format.signed(change)}</td>`;
    })}</tr>`;
  });
  const head = html`<thead><tr><th>class</th><th>labels</th>${keys.map((k) => html`<th>${format.metricName(k)}</th><th>after</th><th>change</th>`)}</tr></thead>`;
  const table = (body: Markup[]) =>
    html`<div class="wide"><table>${head}<tbody>${body}</tbody></table></div>`;
  const folded =
    rows.length > OPEN
      ? html`<details><summary>${rows.length - OPEN} more classes</summary>${table(rows.slice(OPEN))}</details>`
      : '';
  return html`<h2>Classes (val)</h2>${table(rows.slice(0, OPEN))}${folded}${prCurves(report, last)}`;
}

/** Before and after in one square per class, for the classes with the most labels. */
function prCurves({ baseline }: Report, last: Measured): Markup | '' {
  const labels = new Map((baseline.perClass ?? []).map((c) => [c.name, c.labels]));
  const chosen = [...(baseline.curves ?? [])]
    .sort((a, b) => (labels.get(b.name) ?? 0) - (labels.get(a.name) ?? 0))
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
