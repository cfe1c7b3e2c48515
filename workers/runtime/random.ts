/** @file Seeded random numbers: the same seed gives the same numbers on every machine. */

export interface Random {
  /** 0 ≤ x < 1. */
  uniform(): number;
  /** Mean 0, variance 1. */
  normal(): number;
  /** A whole number, 0 ≤ x < n. */
  below(n: number): number;
}

/** Mulberry32 (32 bits of state) with Box-Muller. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    below: (n) => Math.floor(uniform() * n),
  };
}
