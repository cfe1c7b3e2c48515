/** @file Weights to integers: symmetric, one scale per output channel. */

import { channelsOf } from './channels.ts';
import { FORMATS } from './formats.ts';
import { encode, type Quantizer, symmetric } from './scale.ts';

export type WeightFormat = 'int8' | 'int16';

export interface QuantizedWeights {
  readonly format: WeightFormat;
  readonly axis: number;
  /** float32, one per channel. */
  readonly scales: Float32Array;
  readonly codes: Int8Array | Int16Array;
}

/** Candidates for the clip of a channel, as shares of its largest magnitude. */
const CLIPS = Array.from({ length: 31 }, (_, i) => 1 - i / 100);

export interface WeightOptions {
  readonly format: WeightFormat;
  /** How a channel's scale is chosen: from its largest magnitude, or by the least Σ(w − ŵ)² over clips of 70…100 % of it. */
  readonly range: 'max' | 'mse';
  /** Use ±64 of int8 only: keeps u8·s8 products in 16 bit on CPUs without VNNI. */
  readonly reduceRange?: boolean;
}

/** @param data finite weights, row-major in `dims` @param axis the output-channel axis */
export function quantizeWeights(
  data: Float32Array,
  dims: readonly number[],
  axis: number,
  options: WeightOptions,
): QuantizedWeights {
  const channels = channelsOf(dims, axis);
  const codes =
    options.format === 'int8' ? new Int8Array(data.length) : new Int16Array(data.length);
  const scales = new Float32Array(channels.count);
  for (let c = 0; c < channels.count; c++) {
    const values: number[] = [];
    channels.each(c, (i) => values.push(data[i]!));
    const quantizer = channelQuantizer(values, options);
    scales[c] = quantizer.scale;
    channels.each(c, (i) => {
      codes[i] = encode(data[i]!, quantizer);
    });
  }
  return { format: options.format, axis, scales, codes };
}

function channelQuantizer(
  values: readonly number[],
  { format, range, reduceRange }: WeightOptions,
): Quantizer {
  const absMax = values.reduce((m, w) => Math.max(m, Math.abs(w)), 0);
  const share = reduceRange && format === 'int8' ? FORMATS.int8.max / 63 : 1;
  const widest = symmetric(absMax * share, format);
  if (range === 'max' || absMax === 0 || format === 'int16' || reduceRange) return widest;
  let best = { quantizer: widest, error: Number.POSITIVE_INFINITY };
  for (const clip of CLIPS) {
    const quantizer = symmetric(absMax * clip, format);
    const error = squaredError(values, quantizer.scale, best.error);
    if (error < best.error) best = { quantizer, error };
  }
  return best.quantizer;
}

/** Σ (w − ŵ)², given up on once it passes `limit`. Rounding ties do not matter to the sum. */
function squaredError(values: readonly number[], scale: number, limit: number): number {
  let error = 0;
  for (const w of values) {
    const q = Math.max(-128, Math.min(127, Math.round(w / scale)));
    const e = w - q * scale;
    error += e * e;
    if (error >= limit) return error;
  }
  return error;
}
