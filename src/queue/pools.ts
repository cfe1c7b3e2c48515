/** @file Pools: workers that offer the same share a queue, so each job lies where it can be run. */

import { digestOfJson } from '../contract/canonical-json.ts';
import { type Abilities, lacking, type Requires } from '../contract/requires.ts';
import type { WorkerView } from '../contract/worker.ts';

export interface Pool {
  /** Name of its queue. */
  readonly name: string;
  readonly abilities: Abilities;
  /** Jobs that its working workers run at once. */
  readonly slots: number;
}

/** Admitted beyond the slots, so that no worker waits for a dispatcher. */
const AHEAD = 2;

/** @returns the name of the queue that workers with these abilities read */
export function poolOf({ gpu, provider, memory, labels }: Abilities): string {
  return `jobs-${digestOfJson({ gpu, provider, memory, labels }).slice(7, 19)}`;
}

/** Those that can do least come first: so that a job that asks for nothing leaves the others free. */
export function poolsOf(workers: readonly WorkerView[]): Pool[] {
  const pools = Map.groupBy(workers, poolOf);
  return [...pools]
    .map(([name, members]) => ({ name, abilities: members[0]!, slots: slotsOf(members) }))
    .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

const slotsOf = (workers: readonly WorkerView[]) =>
  workers.reduce((sum, w) => sum + (w.duty === 'working' ? w.concurrency : 0), 0);

const rank = ({ abilities: { gpu, labels } }: Pool) =>
  (gpu ? 1000 : 0) + Object.keys(labels).length;

/** Most jobs in the pool's queue, at work or waiting. */
export const roomOf = ({ slots }: Pool): number => (slots === 0 ? 0 : slots + AHEAD);

export const canRun = ({ abilities }: Pool, asked: Requires): boolean =>
  lacking(abilities, asked).length === 0;

/** Why none of these workers can take a job that asks for this, in words; null: one can. */
export function obstacleOf(workers: readonly WorkerView[], asked: Requires): string | null {
  if (workers.length === 0) return 'No worker is alive.';
  const lacks = workers.map((worker) => lacking(worker, asked));
  const able = workers.filter((_, i) => lacks[i]!.length === 0);
  if (able.length === 0) {
    const least = lacks.reduce((a, b) => (b.length < a.length ? b : a));
    const alive = `${workers.length} ${workers.length === 1 ? 'is' : 'are'} alive`;
    return `No worker offers what the job requires (${alive}): the nearest lacks ${least.join(', ')}.`;
  }
  return able.some(({ duty }) => duty === 'working')
    ? null
    : 'Every worker that could run it is paused or draining.';
}
