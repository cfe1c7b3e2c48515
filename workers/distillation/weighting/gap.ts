/** @file Weight by what the student still lacks. */

import { clip, defineWeighting } from './weighting.ts';

export interface GapState {
  /** Shortfall at the first evaluation; null before it. */
  readonly first: number | null;
  /** Shortfall at the latest evaluation. */
  readonly now: number | null;
}

/**
 * λ_k = λ_min + (λ_max − λ_min)·clip((m_T − m_k) / max(m_T − m_0, minGap), 0, 1),  m a metric, T the teacher, k the
 * student's k-th evaluation; a loss, where lower is better, changes sign. λ_max before the first evaluation.
 */
export const gap = defineWeighting({
  summary: "Follows the student's shortfall against its teacher: fades as it catches up.",
  defaults: { lambdaMin: 0, lambdaMax: 1, minGap: 0.01, higherIsBetter: true },
  start: (): GapState => ({ first: null, now: null }),
  next(state, { evaluation }, { higherIsBetter }) {
    if (evaluation === undefined) return state;
    const { student, teacher } = evaluation;
    const now = higherIsBetter ? teacher - student : student - teacher;
    return { first: state.first ?? now, now };
  },
  weight({ first, now }, { lambdaMin, lambdaMax, minGap }) {
    if (first === null || now === null) return lambdaMax;
    return lambdaMin + (lambdaMax - lambdaMin) * clip(now / Math.max(first, minGap), 0, 1);
  },
});
