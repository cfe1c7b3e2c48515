/** @file Splits that a data set does not state: val for images without any, and `tune` out of train. */

import { random } from '../runtime/random.ts';
import type { Dataset, Sample, Split } from './dataset.ts';

/**
 * Samples without splits: every fifth in name order (the 5th, 10th, …) is val, the rest train. Fewer than five:
 * the last is val, where there are two.
 */
export function everyFifth(samples: readonly Sample[]): Record<Split, readonly Sample[]> {
  const isVal = (i: number) =>
    samples.length < 5 ? samples.length > 1 && i === samples.length - 1 : i % 5 === 4;
  return {
    train: samples.filter((_, i) => !isVal(i)),
    val: samples.filter((_, i) => isVal(i)),
    test: [],
  };
}

/**
 * Divide train into `tune`, a seeded 20 % for decisions inside a stage, and `fit`, the rest. val stays untouched:
 * it decides acceptance only.
 *
 * @returns both in name order; with fewer than two train images both are all of train
 */
export function tuneSplit(
  dataset: Dataset,
  seed: number,
): { readonly tune: readonly Sample[]; readonly fit: readonly Sample[] } {
  const train = dataset.splits.train;
  if (train.length < 2) return { tune: train, fit: train };
  const order = shuffled(train.length, seed);
  const chosen = new Set(order.slice(0, Math.max(1, Math.round(train.length * 0.2))));
  return {
    tune: train.filter((_, i) => chosen.has(i)),
    fit: train.filter((_, i) => !chosen.has(i)),
  };
}

/** `count` samples, or all where there are fewer: drawn by the seed, in their own order. */
export function drawn(samples: readonly Sample[], count: number, seed: number): Sample[] {
  const chosen = shuffled(samples.length, seed).slice(0, count);
  return chosen.sort((a, b) => a - b).map((i) => samples[i]!);
}

/** 0 … n − 1 in an order that the seed alone decides (Fisher–Yates). */
export function shuffled(n: number, seed: number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  const { below } = random(seed);
  for (let i = n - 1; i > 0; i--) {
    const j = below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
