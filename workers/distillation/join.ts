/** @file Signals joined to their places in both models. */

import type { TrainedTensor } from '../training/parameters.ts';
import { adapterOf } from './adapters.ts';
import type { Rule } from './balance.ts';
import type { DistillSettings, SignalSpec } from './settings.ts';
import { SIGNALS, type SignalName } from './signals/registry.ts';
import type { Signal } from './signals/signal.ts';
import { misfit, namedPair } from './sites/named.ts';
import { SITES } from './sites/registry.ts';
import type { BothEnds, Pair } from './sites/site.ts';
import { WEIGHTINGS } from './weighting/registry.ts';

export interface JoinedPair {
  readonly pair: Pair;
  readonly adapter: TrainedTensor | undefined;
}

export interface JoinedSignal {
  /** Its kind, with a number where there are several of one. */
  readonly name: string;
  readonly kind: SignalName;
  readonly spec: SignalSpec;
  readonly rule: Rule;
  readonly pairs: readonly JoinedPair[];
}

/** @throws SIGNAL_DOES_NOT_FIT */
export function joinSignals(
  specs: readonly SignalSpec[],
  { weighting }: DistillSettings,
  ends: BothEnds,
  seed: number,
): readonly JoinedSignal[] {
  const counts = new Map<string, number>();
  return specs.map((spec, i) => {
    const count = (counts.get(spec.kind) ?? 0) + 1;
    counts.set(spec.kind, count);
    const rule = spec.weighting ?? weighting;
    const pairs = pairsOf(spec, ends).map((pair, k) => ({
      pair,
      adapter: comparesNumbers(spec) ? adapterOf(spec.kind, pair, seed + 31 * i + k) : undefined,
    }));
    refuseLocations(spec, rule, pairs);
    const name = count === 1 ? spec.kind : `${spec.kind}-${count}`;
    return { name, kind: spec.kind, spec, rule, pairs };
  });
}

const isNamed = ({ student, teacher }: SignalSpec) =>
  student !== undefined || teacher !== undefined;

/** Places of heads fit each other by their making; others are tensors as they stand. */
const comparesNumbers = (spec: SignalSpec): boolean =>
  isNamed(spec) || SIGNALS[spec.kind].reads === 'features';

function pairsOf(spec: SignalSpec, ends: BothEnds): readonly Pair[] {
  const { reads }: Signal = SIGNALS[spec.kind];
  if (isNamed(spec)) return [namedPair(spec, reads, ends)];
  const found = SITES[reads](ends);
  if (typeof found === 'string') throw misfit(spec.kind, found);
  return found;
}

function refuseLocations({ kind }: SignalSpec, { rule }: Rule, pairs: readonly JoinedPair[]): void {
  if (!('locations' in WEIGHTINGS[rule]) || pairs.every(({ pair }) => pair.certainty)) return;
  throw misfit(
    kind,
    `the weighting '${rule}' counts locations by the teacher's class logits, and this signal has none there`,
  );
}
