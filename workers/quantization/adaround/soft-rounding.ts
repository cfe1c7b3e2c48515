/** @file AdaRound: whether a weight rounds up or down, as a number that can be learned. */

/** The stretch of the sigmoid: beyond it h is exactly 0 or 1, so that roundings come to rest. */
export const ZETA = 1.1;
export const GAMMA = -0.1;

/**
 * Share of a step by which a weight is rounded up, from the learned V:
 *
 *     h = clip(σ(V)(ζ − γ) + γ, 0, 1)        Ŵ = s · clip(⌊W / s⌋ + h, qn, qp)
 *
 * Source: Nagel et al., Up or Down? Adaptive Rounding for Post-Training Quantization, ICML 2020, https://arxiv.org/abs/2004.10568
 */
export function roundingOf(v: number): { readonly h: number; readonly slope: number } {
  const sigma = 1 / (1 + Math.exp(-v));
  const stretched = sigma * (ZETA - GAMMA) + GAMMA;
  if (stretched <= 0) return { h: 0, slope: 0 };
  if (stretched >= 1) return { h: 1, slope: 0 };
  return { h: stretched, slope: (ZETA - GAMMA) * sigma * (1 - sigma) };
}

/** V at which h is the fraction that rounding down leaves: training starts at the float weight. */
export const initialV = (fraction: number): number =>
  -Math.log((ZETA - GAMMA) / (fraction - GAMMA) - 1);

export interface SoftWeights {
  /** (M, K), row-major, one scale per row. */
  readonly weight: ArrayLike<number>;
  readonly scales: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly qn: number;
  readonly qp: number;
}

const clamp = (x: number, lo: number, hi: number) => Math.min(hi, Math.max(lo, x));

export interface Rounded {
  readonly soft: Float64Array;
  /** dŴ/dV, element by element; 0 where a code saturates. */
  readonly slope: Float64Array;
  /** h ≥ 0.5 rounds up. */
  readonly codes: Int32Array;
}

export function softWeights({ weight, scales, v, qn, qp }: SoftWeights): Rounded {
  const perRow = weight.length / scales.length;
  const soft = new Float64Array(weight.length);
  const slope = new Float64Array(weight.length);
  const codes = new Int32Array(weight.length);
  for (let i = 0; i < weight.length; i++) {
    const s = scales[Math.floor(i / perRow)]!;
    const floor = Math.floor(weight[i]! / s);
    const { h, slope: dh } = roundingOf(v[i]!);
    const code = floor + h;
    soft[i] = s * clamp(code, qn, qp);
    slope[i] = code < qn || code > qp ? 0 : s * dh;
    codes[i] = clamp(floor + (h >= 0.5 ? 1 : 0), qn, qp);
  }
  return { soft, slope, codes };
}

/** Σ 1 − |2h − 1|^β, which pulls every h to 0 or 1, and its gradient in V. */
export function regularizer(
  v: ArrayLike<number>,
  beta: number,
): { readonly value: number; readonly gradient: Float64Array } {
  let value = 0;
  const gradient = Float64Array.from({ length: v.length }, (_, i) => {
    const { h, slope } = roundingOf(v[i]!);
    const u = 2 * h - 1;
    value += 1 - Math.abs(u) ** beta;
    return -2 * beta * Math.abs(u) ** (beta - 1) * Math.sign(u) * slope;
  });
  return { value, gradient };
}

/**
 * Mean over the rows of x of |x (Ŵ − W)ᵀ|², and its gradient in V.
 *
 * @param x (N, K) row-major
 */
export function reconstruction(
  weights: SoftWeights,
  x: ArrayLike<number>,
): { readonly value: number; readonly gradient: Float64Array } {
  const { soft, slope } = softWeights(weights);
  const m = weights.scales.length;
  const k = weights.weight.length / m;
  const n = x.length / k;
  const error = soft.map((w, i) => w - weights.weight[i]!);
  const gradient = new Float64Array(error.length);
  let value = 0;
  for (let row = 0; row < n; row++) {
    for (let o = 0; o < m; o++) {
      let y = 0;
      for (let j = 0; j < k; j++) y += x[row * k + j]! * error[o * k + j]!;
      value += (y * y) / n;
      for (let j = 0; j < k; j++) gradient[o * k + j]! += (2 * y * x[row * k + j]!) / n;
    }
  }
  return { value, gradient: gradient.map((g, i) => g * slope[i]!) };
}
