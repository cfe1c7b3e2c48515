/** @file Weight by how far the stage is. */

import { clip, defineWeighting } from './weighting.ts';

export interface ScheduleOptions {
  readonly from: number;
  readonly to: number;
  /** Shares of the stage between which λ moves. */
  readonly begin: number;
  readonly end: number;
  readonly shape: 'linear' | 'cosine';
}

/** λ = from + (to − from)·f(p),  p = clip((progress − begin) / (end − begin), 0, 1),  f(p) = p or (1 − cos πp)/2. */
export const schedule = defineWeighting({
  summary: 'Moves from one weight to another over a share of the stage.',
  defaults: { from: 1, to: 0, begin: 0, end: 1, shape: 'linear' } as ScheduleOptions,
  start: () => ({ progress: 0 }),
  next: (state, { progress }) => (progress === undefined ? state : { progress }),
  weight({ progress }, { from, to, begin, end, shape }) {
    const p =
      end > begin ? clip((progress - begin) / (end - begin), 0, 1) : Number(progress >= end);
    return from + (to - from) * (shape === 'cosine' ? (1 - Math.cos(Math.PI * p)) / 2 : p);
  },
});
