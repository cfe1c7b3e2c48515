/** @file In how many cuts a share is reached. */

import { CRITERIA } from './criteria/registry.ts';
import type { PruneContext, PruneSettings } from './settings.ts';

/** A cut that takes more than this share of the cost makes the scores of what is left stale. */
const STEP = 0.08;
const MOST = 6;

/**
 * `auto`: as many as keep each cut under 8 % of the cost, at most 6, where scores are of gradients and what is left is rebuilt. Where
 * there is training after every round, and where scores would come out as before, one.
 */
export function roundsTo(
  share: number,
  { rounds, criterion, compensate }: PruneSettings,
  { afterRound, samples }: Pick<PruneContext, 'afterRound' | 'samples'>,
): number {
  if (rounds !== 'auto') return rounds;
  const fresh = CRITERIA[criterion].needs === 'gradients' && compensate !== false;
  if (!fresh || afterRound || samples.length < 2) return 1;
  return Math.min(MOST, Math.max(1, Math.ceil(Math.log(share) / Math.log(1 - STEP))));
}
