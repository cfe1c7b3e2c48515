/** @file What `lathe evaluate` measured, as tables for the terminal. */

import * as format from '../workers/report/format.ts';
import { table } from './table.ts';

/** The document of `lathe evaluate`. */
export interface Shown {
  readonly task: string;
  readonly split: string;
  readonly images: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly perClass: readonly {
    readonly name: string;
    readonly labels: number;
    readonly metrics: Readonly<Record<string, number | null>>;
  }[];
  readonly sqnr?: readonly {
    readonly output: string;
    readonly part: string;
    readonly db: number | null;
  }[];
  readonly warnings: readonly string[];
}

export function evaluationText(document: Shown): string {
  const { task, split, images, metrics } = document;
  const scores = Object.entries(metrics).map(([k, v]) => [format.metricName(k), format.score(v)]);
  return [
    `${task}, ${images} images of ${split}`,
    table(scores),
    ...perClassLines(document),
    ...sqnrLines(document),
  ].join('\n');
}

function perClassLines({ perClass }: Shown): string[] {
  const counted = perClass.filter((c) => c.labels > 0);
  const keys = Object.keys(counted[0]?.metrics ?? {});
  if (keys.length === 0) return [];
  const rows = counted.map((c) => [
    c.name,
    String(c.labels),
    ...keys.map((k) => (typeof c.metrics[k] === 'number' ? format.score(c.metrics[k]) : '–')),
  ]);
  return ['', table([['class', 'labels', ...keys.map(format.metricName)], ...rows])];
}

function sqnrLines({ sqnr = [] }: Shown): string[] {
  if (sqnr.length === 0) return [];
  const rows = sqnr.map((s) => [
    `SQNR of ${s.output}${s.part ? ` (${s.part})` : ''}`,
    s.db === null ? '– equal' : `${s.db.toFixed(1)} dB`,
  ]);
  return ['', table(rows)];
}
