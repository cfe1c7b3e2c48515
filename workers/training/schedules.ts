/** @file How the learning rate moves over a run, one line each: share of the run done, 0…1 → factor of the rate. */

export const SCHEDULES = {
  cosine: (done: number) => FLOOR + (1 - FLOOR) * 0.5 * (1 + Math.cos(Math.PI * done)),
  linear: (done: number) => 1 - (1 - FLOOR) * done,
  constant: () => 1,
} as const satisfies Record<string, (done: number) => number>;

/** What is left of the rate at the end. */
const FLOOR = 0.01;

export type ScheduleName = keyof typeof SCHEDULES;

/** Linear rise over the first `steps`: 1 from then on. */
export const warmUp = (step: number, steps: number): number =>
  steps <= 0 ? 1 : Math.min(1, step / steps);
