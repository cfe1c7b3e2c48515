/** @file metrics.jsonl: one JSON object per line, as they come; written anew by every run. */

import { appendFileSync, writeFileSync } from 'node:fs';

import type { MetricRecord } from './checkpoint.ts';

export class MetricsFile {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    writeFileSync(file, '');
  }

  add(record: MetricRecord): void {
    appendFileSync(this.#file, `${JSON.stringify(record)}\n`);
  }
}
