/**
 * Signal to quantization noise: 10·log10(Σ x² / Σ (x − y)²) in dB, sums in double over the whole tensor.
 *
 * @returns Infinity where y equals x; −Infinity where x is all zero and y is not
 */
export function sqnr(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < x.length; i++) {
    const e = x[i]! - y[i]!;
    signal += x[i]! * x[i]!;
    noise += e * e;
  }
  return noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
}
