/** @file How many flips it takes until the accuracy budget holds. */

/** Accuracy of one way to quantize, on images kept out of calibration. */
export interface Standing {
  /** With the float model, 0…1. */
  readonly agreement: number;
  /** Of the headline metric; null: the images have no labels of the task's kind. */
  readonly drop: number | null;
}

/** A way that was tried: what it costs and what it gives. */
export interface Trial extends Standing {
  /** Flips out of 8 bits. */
  readonly flips: number;
  /** Share of the Convs' MACs left in 8 bits. */
  readonly convMacs8bit: number;
  /** Whether the budget holds with it. */
  readonly held: boolean;
}

/**
 * The least n of 0…most whose trial holds, found by doubling and then halving; each n is tried once. The order of flips is
 * greedy, so that more of them are taken to be better.
 *
 * @returns every trial, by its number of flips, and the one to keep: the least that holds, else the one that agrees most
 */
export async function leastThatHolds(
  most: number,
  tryFlips: (n: number) => Promise<Trial>,
): Promise<{ readonly trials: Trial[]; readonly kept: Trial }> {
  const trials = new Map<number, Trial>();
  const holds = async (n: number) => {
    const trial = trials.get(n) ?? (await tryFlips(n));
    trials.set(n, trial);
    return trial.held;
  };
  let fails = -1;
  let held = 0;
  while (!(await holds(held))) {
    fails = held;
    if (held === most) break;
    held = Math.min(most, Math.max(1, 2 * held));
  }
  while (held - fails > 1) {
    const middle = (held + fails) >> 1;
    if (await holds(middle)) held = middle;
    else fails = middle;
  }
  const all = [...trials.values()].sort((a, b) => a.flips - b.flips);
  const best = all.reduce((a, b) => (b.agreement > a.agreement ? b : a));
  return { trials: all, kept: all.find((t) => t.held) ?? best };
}
