/** @file Rules for ranks: which candidate each layer becomes, so that the cost falls to a goal. */

import type { Candidate } from './form.ts';
import type { Factorizable } from './layers.ts';

/** One candidate per layer; undefined: it stays as it is. */
export type Choice = readonly (Candidate | undefined)[];

export interface Costing {
  /** Of a candidate, or of a whole layer. */
  cost(of: Pick<Candidate, 'macs' | 'params'>): number;
  /** What has to be saved. */
  readonly save: number;
}

export type RankRule = (layers: readonly Factorizable[], costing: Costing) => Choice;

const HALVINGS = 40;

export const wholeOf = ({ layer }: Factorizable) => ({
  macs: layer.macs,
  params: layer.weight.constant!.size,
});

export function savedBy(
  layers: readonly Factorizable[],
  choice: Choice,
  { cost }: Costing,
): number {
  return choice.reduce((sum, c, i) => sum + (c ? cost(wholeOf(layers[i]!)) - cost(c) : 0), 0);
}

/** Steps are coarse: where more is saved than has to be, the layers that gain most by it get larger ranks. */
export function withoutExcess(
  layers: readonly Factorizable[],
  choice: Choice,
  costing: Costing,
): Choice {
  const now = [...choice];
  for (;;) {
    const spare = savedBy(layers, now, costing) - costing.save;
    const moves = layers.flatMap(({ candidates }, i) => {
      const own = now[i];
      return candidates.flatMap((c) => {
        const more = own ? costing.cost(c) - costing.cost(own) : 0;
        return own && more > 0 && more <= spare ? [{ i, c, gain: own.lost - c.lost }] : [];
      });
    });
    if (moves.length === 0) return now;
    const best = moves.reduce((a, b) => (b.gain > a.gain ? b : a));
    now[best.i] = best.c;
  }
}

export const RANK_RULES = {
  /** Every layer loses at most the same share of its weight's squared norm: the least share with which the goal is met. */
  energy: (layers, costing) => {
    const at = (lost: number): Choice =>
      layers.map(({ candidates }) => candidates.find((c) => c.lost <= lost));
    let [few, many] = [0, 1];
    for (let i = 0; i < HALVINGS; i++) {
      const middle = (few + many) / 2;
      if (savedBy(layers, at(middle), costing) >= costing.save) many = middle;
      else few = middle;
    }
    return at(many);
  },
  /** Again and again the step of one layer to a cheaper candidate that loses least per cost saved. */
  budget: (layers, costing) => {
    const at = layers.map(({ candidates }) => candidates.length);
    const candidateAt = (i: number, k: number) => layers[i]!.candidates[k];
    const priceOf = (i: number, k: number) => {
      const now = candidateAt(i, at[i]!);
      const next = candidateAt(i, k)!;
      const saved = costing.cost(now ?? wholeOf(layers[i]!)) - costing.cost(next);
      return (next.lost - (now?.lost ?? 0)) / saved;
    };
    const choice = () => layers.map((_, i) => candidateAt(i, at[i]!));
    while (savedBy(layers, choice(), costing) < costing.save) {
      const steps = layers.flatMap((_, i) =>
        Array.from({ length: at[i]! }, (__, k) => ({ i, k, price: priceOf(i, k) })),
      );
      if (steps.length === 0) break;
      const best = steps.reduce((a, b) => (b.price < a.price ? b : a));
      at[best.i] = best.k;
    }
    return choice();
  },
} as const satisfies Record<string, RankRule>;

export type RankRuleName = keyof typeof RANK_RULES;
