/** @file Who goes first where the API, workers and jobs share a machine. */

import { setPriority } from 'node:os';

/** Nice values: an API answers people (0), a worker looks after jobs, a job computes. */
const NICE = { worker: 5, job: 10 } as const;

/** @param pid 0: this process; a process that is gone, or a system that does not permit it, is passed over */
export function stepBack(pid: number | undefined, as: keyof typeof NICE): void {
  try {
    if (pid !== undefined) setPriority(pid, NICE[as]);
  } catch {
    // it runs, or ends, as it is
  }
}
