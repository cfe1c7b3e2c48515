/** @file Which single weights go, so that a share of a cost is left: by themselves, or two of every four neighbours. */

import type { SparseLayer } from './layers.ts';
import { magnitudes, twoOfFour, unstructured } from './masks.ts';

export interface Scored {
  readonly layer: SparseLayer;
  /** One number per weight, row-major: the lowest goes first. */
  readonly scores: Float64Array;
}

/** One mask per layer, 1 keeps; undefined: the layer stays as it is. */
export type Masks = readonly (Uint8Array | undefined)[];

export interface Pattern {
  readonly summary: string;
  /**
   * @param weigh what a weight of a layer costs
   * @param goal  cost that may be left, of what all the layers' weights cost
   */
  masks(all: readonly Scored[], weigh: (layer: SparseLayer) => number, goal: number): Masks;
}

/** Halvings of the interval that a threshold lies in. */
const STEPS = 60;

export const PATTERNS = {
  unstructured: {
    summary: 'Single weights, wherever they lie.',
    masks: byThreshold,
  },
  '2:4': {
    summary: 'Of every 4 neighbours along the summed axis the 2 of lowest score.',
    masks: halves,
  },
} as const satisfies Record<string, Pattern>;

export type PatternName = keyof typeof PATTERNS;

/** The lowest scores of all layers, as many as the goal asks for. */
function byThreshold(
  all: readonly Scored[],
  weigh: (layer: SparseLayer) => number,
  goal: number,
): Masks {
  const scores = all.map((s) => s.scores);
  const left = (masks: readonly Uint8Array[]) =>
    masks.reduce((sum, mask, i) => sum + weigh(all[i]!.layer) * ones(mask), 0);
  const whole = left(scores.map((s) => new Uint8Array(s.length).fill(1)));
  const same = all.every(({ layer }) => weigh(layer) === weigh(all[0]!.layer));
  const count = scores.reduce((n, s) => n + s.length, 0);
  // Half a weight more, so that rounding does not leave one too many.
  const share = (n: number) => (Math.ceil(n * count - 1e-6) + 0.5) / count;
  if (same) return unstructured(scores, share(Math.max(0, 1 - goal / whole)));
  let [few, many] = [0, 1];
  for (let i = 0; i < STEPS && many - few > 1e-4; i++) {
    const middle = (few + many) / 2;
    if (left(unstructured(scores, middle)) <= goal) many = middle;
    else few = middle;
  }
  return unstructured(scores, many);
}

/** Layers become 2:4 until the goal is met: first those that lose the smallest share of their scores per cost saved. */
function halves(
  all: readonly Scored[],
  weigh: (layer: SparseLayer) => number,
  goal: number,
): Masks {
  const total = all.reduce((sum, s) => sum + weigh(s.layer) * s.scores.length, 0);
  const masked = all.map(({ layer, scores }) => {
    const { dims } = layer.weight.constant!;
    const mask = twoOfFour(magnitudes(scores), dims, layer.axis);
    return {
      mask,
      saved: weigh(layer) * (mask.length - ones(mask)),
      lost: lostShare(scores, mask),
    };
  });
  const price = (i: number) => masked[i]!.lost / masked[i]!.saved;
  const order = [...masked.keys()].sort((a, b) => price(a) - price(b));
  const chosen = new Set<number>();
  let cost = total;
  for (const i of order) {
    if (cost <= goal) break;
    chosen.add(i);
    cost -= masked[i]!.saved;
  }
  return masked.map((m, i) => (chosen.has(i) ? m.mask : undefined));
}

export function ones(mask: Uint8Array): number {
  let n = 0;
  for (const m of mask) n += m;
  return n;
}

function lostShare(scores: Float64Array, mask: Uint8Array): number {
  let [lost, sum] = [0, 0];
  for (const [i, s] of scores.entries()) {
    sum += s;
    if (mask[i] === 0) lost += s;
  }
  return sum > 0 ? lost / sum : 0;
}
