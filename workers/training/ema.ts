/** @file How much of the moving average of weights stays at step s = 1, 2, … */

/** d = 0.9999·(1 − e^(−s/2000)): almost no average at first, a long one at last. */
export const emaRamp = (step: number): number => 0.9999 * (1 - Math.exp(-step / 2000));

/** d = min(0.9999, s / (s + 10)): an average over about the last tenth of the steps so far, whatever the run's length. */
export const emaTenth = (step: number): number => Math.min(0.9999, step / (step + 10));
