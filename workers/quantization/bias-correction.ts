/** @file Analytic bias correction. */

/**
 * Take the mean error that rounding the weights adds to each output out of its bias.
 *
 *     shift[o] = Σ_{c, k} (Ŵ − W)[o, c, k] · mean[c]        b′ = b − shift
 *
 * The padded border is ignored. Source: Nagel et al., Data-Free Quantization, ICCV 2019, https://arxiv.org/abs/1906.04721
 *
 * @param weight, dequantized shape (M, C/g, K…), row-major
 * @param mean of each input channel, (C)
 * @returns shift, (M), in the unit of the output
 */
export function biasShift(
  weight: ArrayLike<number>,
  dequantized: ArrayLike<number>,
  dims: readonly number[],
  mean: ArrayLike<number>,
  group: number,
): Float64Array {
  const [m, perGroup] = [dims[0]!, dims[1]!];
  const taps = dims.slice(2).reduce((n, d) => n * d, 1);
  const shift = new Float64Array(m);
  for (let o = 0; o < m; o++) {
    const first = Math.floor(o / (m / group)) * perGroup;
    for (let c = 0; c < perGroup; c++) {
      let error = 0;
      for (let k = 0; k < taps; k++) {
        const i = (o * perGroup + c) * taps + k;
        error += dequantized[i]! - weight[i]!;
      }
      shift[o]! += error * mean[first + c]!;
    }
  }
  return shift;
}
