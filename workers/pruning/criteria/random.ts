/** @file Criterion `random`: the mark that every other one has to beat. */

import { random as seeded } from '../../runtime/random.ts';
import { ofWeights } from './criterion.ts';

export const random = ofWeights('Seeded random numbers.', ({ group, seed }) => {
  const rng = seeded(seed ^ hash(group.id));
  return Float64Array.from({ length: group.size }, rng.uniform);
});

/** FNV-1a, 32 bits: groups get different numbers from one seed. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}
