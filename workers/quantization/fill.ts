/** @file The constants of a quantized model: biases plain or corrected, weights rounded to nearest or as learned. */

import type { Model, Value } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { type RoundedLayer, roundModel } from './adaround/round-model.ts';
import { type Choice, chooseVariant, type Variant } from './choose-variant.ts';
import type { Inserted } from './insert-qdq.ts';
import type { QuantizeOptions } from './settings.ts';

/** Images, the last of the calibration set, that decide between two results. */
export const HELD_OUT = 16;

/** Images that roundings are learned on, the first of the calibration set. */
const ROUNDING_IMAGES = 32;

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
  const plain = new Map(biases.map((b) => [b.value, b.plain]));
  const corrected = new Map(biases.map((b) => [b.value, b.corrected]));
  const nearest = new Map(weights.map(({ value }) => [value, value.constant!]));
  const variants: Record<string, Variant> = { plain: join(nearest, plain) };
  if (biases.length > 0) variants['corrected'] = join(nearest, corrected);
  let rounding: Filled['rounding'] = null;
  if (options.rounding === 'adaround') {
    rounding = await roundModel(float, weights, roundOptions(options));
    // Learned roundings take up what the correction is for.
    variants['adaround'] = join(
      new Map(weights.map(({ value }) => [value, value.constant!])),
      plain,
    );
  }
  if (Object.keys(variants).length === 1) return { choice: null, rounding };
  options.progress(0.97, 'comparing results on images set aside');
  const choice = await chooseVariant(float, model, variants, options.feeds(-HELD_OUT), options);
  return { choice, rounding };
}

const join = (...parts: readonly ReadonlyMap<Value, Tensor>[]): Variant =>
  new Map(parts.flatMap((part) => [...part]));

const roundOptions = (options: QuantizeOptions) => ({
  ...options,
  feeds: () => options.feeds(0, ROUNDING_IMAGES),
  onLayer: (done: number, of: number) =>
    options.progress(0.9 + (0.06 * done) / of, `rounding the weights of layer ${done} of ${of}`),
});
