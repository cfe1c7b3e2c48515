/** @file Biases to int32, in the scale of the products they are added to. */

import { roundHalfEven } from '../onnx/round.ts';

const LIMIT = 2 ** 31 - 1;

export interface QuantizedBias {
  readonly codes: Int32Array;
  readonly scales: Float32Array;
  /** Channels whose code does not fit 32 bits. */
  readonly saturated: readonly number[];
}

/** q[c] = round(b[c] / (s_x·s_w[c])), zero point 0; the scale is the float32 product. Source: ONNX QLinearConv. */
export function quantizeBias(
  bias: ArrayLike<number>,
  inputScale: number,
  weightScales: ArrayLike<number>,
): QuantizedBias {
  const scales = Float32Array.from(
    { length: bias.length },
    (_, c) => inputScale * (weightScales[weightScales.length === 1 ? 0 : c] as number),
  );
  const saturated: number[] = [];
  const codes = Int32Array.from({ length: bias.length }, (_, c) => {
    const q = roundHalfEven((bias[c] as number) / scales[c]!);
    if (Math.abs(q) > LIMIT) saturated.push(c);
    return Math.max(-LIMIT - 1, Math.min(LIMIT, q));
  });
  return { codes, scales, saturated };
}

/** Least weight scale at which a channel's bias fits 32 bits, with a bit to spare for the sum it is added to. */
export const leastWeightScale = (bias: number, inputScale: number): number =>
  Math.abs(bias) / (inputScale * 2 ** 30);
