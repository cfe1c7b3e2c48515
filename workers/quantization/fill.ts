/** @file The constants of a quantized model: biases plain or corrected, weights rounded to nearest or as learned. */

import type { Model } from '../onnx/graph.ts';
import { type RoundedLayer, roundModel } from './adaround/round-model.ts';
import { measuredBiases } from './bias-measured.ts';
import { type Choice, chooseVariant, type Variant } from './choose-variant.ts';
import type { Inserted, PlacedBias } from './insert-qdq.ts';
import type { QuantizeOptions } from './settings.ts';

/** Images, the last of the calibration set, that decide between two results. */
export const HELD_OUT = 16;

/** Images that biases and roundings are learned on, the first of the calibration set. */
const LEARNING_IMAGES = 32;

export interface Filled {
  readonly choice: Choice<string> | null;
  readonly rounding: readonly RoundedLayer[] | null;
}

/**
 * Means over whole images are mostly means over background: what is right there on average may be wrong on objects. So
 * corrected biases stay only where they show, and so do learned roundings.
 */
export async function fill(
  float: Model,
  model: Model,
  { biases, weights }: Inserted,
  options: QuantizeOptions,
): Promise<Filled> {
  const codes = () => weights.map(({ value }) => [value, value.constant!] as const);
  const filledBy = (of: (bias: PlacedBias) => Float32Array | undefined): Variant =>
    new Map([...codes(), ...biases.map((b) => [b.value, b.as(of(b) ?? b.plain)] as const)]);
  const measured = async (done: number) => {
    options.progress(done, 'measuring what rounding adds to each channel');
    const found = await measure(float, model, biases, options);
    return filledBy((b) => found.get(b));
  };
  const variants: Record<string, Variant> = { plain: filledBy((b) => b.plain) };
  if (biases.some((b) => b.corrected)) variants['corrected'] = filledBy((b) => b.corrected);
  if (biases.length > 0) variants['measured'] = await measured(0.9);
  let rounding: Filled['rounding'] = null;
  if (options.rounding === 'adaround') {
    rounding = await roundModel(float, weights, roundOptions(options));
    // Learned roundings take up what the correction is for.
    variants['adaround'] = filledBy((b) => b.plain);
    if (biases.length > 0) variants['adaround, measured'] = await measured(0.96);
  }
  if (Object.keys(variants).length === 1) return { choice: null, rounding };
  options.progress(0.97, 'comparing results on images set aside');
  const choice = await chooseVariant(
    float,
    model,
    variants,
    () => options.feeds(-HELD_OUT),
    options,
  );
  return { choice, rounding };
}

/** With the biases as they were, whatever was chosen before. */
function measure(
  float: Model,
  model: Model,
  biases: readonly PlacedBias[],
  options: QuantizeOptions,
): Promise<ReadonlyMap<PlacedBias, Float32Array>> {
  for (const b of biases) b.value.constant = b.as(b.plain);
  return measuredBiases(float, model, biases, options.feeds(0, LEARNING_IMAGES), options);
}

const roundOptions = (options: QuantizeOptions) => ({
  ...options,
  feeds: () => options.feeds(0, LEARNING_IMAGES),
  onLayer: (done: number, of: number) =>
    options.progress(0.92 + (0.04 * done) / of, `rounding the weights of layer ${done} of ${of}`),
});
