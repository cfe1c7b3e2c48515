/** @file When a delivery is tried: as Standard Webhooks 1.0 proposes, with jitter. */

const S = 1000;
const M = 60 * S;
const H = 60 * M;

/** Milliseconds after each failure; after the last one the message is given up. */
export const RETRY_AFTER: readonly number[] = [
  5 * S,
  5 * M,
  30 * M,
  2 * H,
  5 * H,
  10 * H,
  14 * H,
  20 * H,
  24 * H,
];

/** Up to a fifth longer, so that receivers that were away are not hit by all at once. */
const JITTER = 0.2;

/** @param failures so far, from 1 @returns milliseconds to wait */
export function retryDelay(failures: number, random = Math.random()): number {
  const index = Math.min(Math.max(failures, 1), RETRY_AFTER.length) - 1;
  return Math.round(RETRY_AFTER[index]! * (1 + JITTER * random));
}

/** An endpoint that has had no success for so long is disabled. */
export const PATIENCE_MS = 5 * 24 * H;
