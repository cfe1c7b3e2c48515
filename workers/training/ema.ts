/** @file How much of the moving average of weights stays at step s = 1, 2, … */

/** d = min(0.9999, s / (s + 10)): an average over about the last tenth of the steps so far, whatever the run's length. */
export const emaTenth = (step: number): number => Math.min(0.9999, step / (step + 10));
