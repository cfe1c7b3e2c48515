/** @file What is left of a row of channels. */

/** 0 … size − 1 without some of them, in order. */
export function others(size: number, without: Iterable<number>): number[] {
  const out = new Set(without);
  return Array.from({ length: size }, (_, c) => c).filter((c) => !out.has(c));
}
