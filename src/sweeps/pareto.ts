/** @file Which of several models are worth a look: the Pareto front over bytes, latency and the headline metric. */

import type { FinalFigures } from '../contract/job-view.ts';
import type { RANKS } from '../contract/sweep.ts';

export interface Candidate {
  readonly id: string;
  readonly final: FinalFigures;
}

type Rank = (typeof RANKS)[number];

/** What is unknown counts as the worst; less is better everywhere. */
const COSTS = {
  bytes: ({ bytes }) => bytes,
  latency: ({ latencyMs }) => latencyMs ?? Number.POSITIVE_INFINITY,
  metric: (final) => -(metricOf(final) ?? Number.NEGATIVE_INFINITY),
} as const satisfies Record<Rank, (final: FinalFigures) => number>;

/** The headline metric; agreement where there are no labels. Null: there were no images. */
export const metricOf = ({ headline, metrics, agreement }: FinalFigures): number | null =>
  metrics[headline] ?? agreement;

const costs = ({ final }: Candidate) => Object.values(COSTS).map((cost) => cost(final));

/** Better in one figure, and no worse in any. */
function beats(a: Candidate, b: Candidate): boolean {
  const [mine, others] = [costs(a), costs(b)];
  return mine.every((cost, i) => cost <= others[i]!) && mine.some((cost, i) => cost < others[i]!);
}

/** Those that no other beats, by bytes. */
export function front(candidates: readonly Candidate[]): Candidate[] {
  return candidates
    .filter((one) => !candidates.some((other) => beats(other, one)))
    .sort((a, b) => a.final.bytes - b.final.bytes);
}

/** The first by `rankBy`, ties by the other figures. */
export function best(candidates: readonly Candidate[], rankBy: Rank): Candidate | undefined {
  const order = [rankBy, ...(Object.keys(COSTS) as Rank[])];
  const compare = (a: Candidate, b: Candidate) =>
    order.map((rank) => difference(COSTS[rank](a.final), COSTS[rank](b.final))).find((d) => d) ?? 0;
  return candidates.toSorted(compare)[0];
}

/** Two infinities are equal. */
const difference = (a: number, b: number) => (a === b ? 0 : a - b);
