/** @file Weight by the size of gradients. */

import { clip, defineWeighting } from './weighting.ts';

/** Smoothed gradient norms; null before the first step. */
export interface NormState {
  readonly task: number | null;
  readonly distillation: number | null;
}

/**
 * a_k = β·a_(k−1) + (1 − β)·‖∇L_task‖_k with a_0 = ‖∇L_task‖_0, b_k the same of the unweighted distillation loss;
 * λ_k = clip(ρ·a_k / max(b_k, 1e-12), λ_min, λ_max). ρ, within the limits, before the first step.
 */
export const gradientNorm = defineWeighting({
  summary: "Keeps the distillation gradient at a share of the task's.",
  defaults: { ratio: 0.5, beta: 0.9, lambdaMin: 0, lambdaMax: 100 },
  start: (): NormState => ({ task: null, distillation: null }),
  next(state, { gradientNorms }, { beta }) {
    if (gradientNorms === undefined) return state;
    const smooth = (old: number | null, x: number) => beta * (old ?? x) + (1 - beta) * x;
    return {
      task: smooth(state.task, gradientNorms.task),
      distillation: smooth(state.distillation, gradientNorms.distillation),
    };
  },
  weight({ task, distillation }, { ratio, lambdaMin, lambdaMax }) {
    const balance = (task ?? 1) / Math.max(distillation ?? 1, 1e-12);
    return clip(ratio * balance, lambdaMin, lambdaMax);
  },
});
