/** @file A report as a table for the terminal. */

import { join } from 'node:path';

import type { Report } from '../src/contract/report.ts';
import * as format from '../workers/report/format.ts';
import { table } from './table.ts';

interface Checked {
  readonly limit: string;
  readonly allowed: number;
  readonly measured: number | null;
  readonly passed: boolean;
  readonly detail?: string;
}

/** ✓ maxBytes 4.00 MB: measured 3.34 MB */
export function checkLine({ limit, allowed, measured, passed, detail }: Checked): string {
  const found = measured === null ? 'nothing' : format.limit(limit, measured);
  const why = detail ? ` (${detail})` : '';
  return `${passed ? '✓' : '✗'} ${limit} ${format.limit(limit, allowed)}: measured ${found}${why}`;
}

export function reportText(report: Report, folder: string): string {
  const { baseline, stages, final, accept, headline } = report;
  const row = (name: string, m: Report['baseline'], speedup: number | null) => [
    name,
    format.bytes(m.bytes),
    format.count(m.params),
    format.count(m.macs),
    m.metrics[headline] === undefined ? '–' : format.score(m.metrics[headline]),
    m.latencyMs ? format.milliseconds(m.latencyMs.median) : '–',
    speedup === null ? '–' : format.factor(speedup),
  ];
  const rows = [
    ['model', 'size', 'params', 'MACs', format.metricName(headline), 'latency', 'speed-up'],
    row('input', baseline, null),
    ...stages.map((s, i) => row(`${i + 1}. ${s.stage}`, s.after, s.after.speedup)),
  ];
  const checks = accept.checks.map(checkLine);
  const verdict = accept.passed
    ? 'Accepted.'
    : 'Rejected: the result misses its acceptance limits.';
  const slower =
    final.speedup !== null && final.speedup < 1
      ? ['Note: the result is slower than the input on this machine.']
      : [];
  return [
    table(rows),
    '',
    ...checks,
    ...slower,
    verdict,
    `Report: ${join(folder, 'report.html')}`,
  ].join('\n');
}
