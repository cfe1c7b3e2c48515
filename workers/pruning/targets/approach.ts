/** @file The largest share of the MACs with which something measured is still reached. */

import { ServiceError } from '../../../src/contract/errors.ts';
import type { Trial } from '../settings.ts';

export interface Approach<T> {
  /** First share that is tried. */
  readonly first: number;
  /** Factor on the share while everything tried was reached, or while nothing was. */
  readonly factor: number;
  /** Shares this close are one. */
  readonly resolution: number;
  /** Cuts that are tried at most. */
  readonly most: number;
  /** @throws PRUNING_IMPOSSIBLE the floors allow no such cut */
  tryShare(share: number): Promise<{ readonly made: T; readonly trial: Trial }>;
}

/**
 * Less costs more accuracy and saves more time, so one share divides what is reached from what is not: go from the first share in steps
 * of the factor until both sides are known, then halve what lies between.
 *
 * @param wants `least share`: reached above some share (accuracy); `largest share`: reached below one (time)
 * @returns the best that was reached, undefined where nothing was, and every trial in order
 */
export async function approach<T>(
  wants: 'least share' | 'largest share',
  { first, factor, resolution, most, tryShare }: Approach<T>,
): Promise<{ readonly best: T | undefined; readonly trials: readonly Trial[] }> {
  const trials: Trial[] = [];
  let best: T | undefined;
  let [reached, missed]: [number | undefined, number | undefined] = [undefined, undefined];
  let share = first;
  while (trials.length < most) {
    const attempt = await possible(() => tryShare(share));
    if (attempt) trials.push(attempt.trial);
    if (attempt?.trial.reached) [best, reached] = [attempt.made, share];
    else if (attempt || wants === 'least share') missed = share;
    else break;
    const next = nextShare(wants, reached, missed, factor);
    if (Math.abs(next - share) < resolution) break;
    share = next;
  }
  return { best, trials };
}

function nextShare(
  wants: 'least share' | 'largest share',
  reached: number | undefined,
  missed: number | undefined,
  factor: number,
): number {
  if (reached !== undefined && missed !== undefined) return Math.sqrt(reached * missed);
  const known = (reached ?? missed)!;
  const down = (wants === 'least share') === (reached !== undefined);
  // At 1 accuracy is reached and time is not, so going up is halving too.
  return down ? known * factor : Math.min(Math.sqrt(known), known / factor);
}

/** Undefined where no cut goes that far. */
async function possible<T>(attempt: () => Promise<T>): Promise<T | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'PRUNING_IMPOSSIBLE') return undefined;
    throw error;
  }
}
