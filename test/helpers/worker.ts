/** @file A worker as it announces itself. */

import type { WorkerRecord } from '../../src/records/workers.ts';

export const workerRecord = (differences: Partial<WorkerRecord> = {}): WorkerRecord => ({
  id: 'here-1',
  gpu: false,
  provider: 'cpu',
  memory: 2 ** 30,
  labels: {},
  concurrency: 1,
  running: 0,
  duty: 'working',
  version: '0.0.0',
  startedAt: new Date().toISOString(),
  ...differences,
});
