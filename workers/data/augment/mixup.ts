/** @file MixUp: two pictures in one, and their targets in the same shares. */

import type { Random } from '../../runtime/random.ts';

/**
 * λ from Beta(α, α), by Jöhnk's method: u^(1/α) / (u^(1/α) + v^(1/α)) for uniform u and v where that sum is at most 1.
 * Worked in logarithms, because u^(1/α) leaves the range of numbers for small α.
 *
 * @param alpha 0 < α ≤ 1; near 0 almost every λ is 0 or 1
 */
export function drawLambda(rng: Random, alpha: number): number {
  for (;;) {
    const [u, v] = [Math.log(1 - rng.uniform()) / alpha, Math.log(1 - rng.uniform()) / alpha];
    if (Math.exp(u) + Math.exp(v) <= 1) return 1 / (1 + Math.exp(v - u));
  }
}

/**
 * λ·a + (1 − λ)·b, of pixels or of targets.
 *
 * Source: Zhang et al., mixup: Beyond empirical risk minimization, 2018.
 *
 * @param a changed in place
 */
export function mix<T extends Uint8Array | Float32Array>(a: T, b: T, lambda: number): void {
  const half = a instanceof Uint8Array ? 0.5 : 0;
  for (let i = 0; i < a.length; i++) a[i] = lambda * a[i]! + (1 - lambda) * b[i]! + half;
}
