/** @file Post-training quantization of a whole model: survey it, write integers into it, fill in the best constants. */

import { cloneModel } from '../onnx/clone.ts';
import type { Model } from '../onnx/graph.ts';
import { chooseModel } from './choose-variant.ts';
import { detailsOf, type Equalization, type QuantizeDetails } from './details.ts';
import { equalize } from './equalize/equalize.ts';
import { type Filled, fill, HELD_OUT } from './fill.ts';
import type { QuantizeOptions } from './settings.ts';
import { type Survey, survey } from './survey.ts';
import { type Written, writeSurvey } from './write-survey.ts';

/** Quantize `model` in place: float32 weights, and the opset that the precision needs or newer. */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizeDetails> {
  const float = cloneModel(model);
  const evened = await equalize(float, options);
  const plain = await quantizeAsItIs(model, within(options, 0, evened ? 0.5 : 1));
  if (evened === undefined) return told(model, plain, null, options);
  const { tensors, model: other } = evened;
  const equalized = await quantizeAsItIs(other, within(options, 0.5, 1));
  const models = { plain: model, equalized: other };
  const choice = await chooseModel(float, models, options.feeds(-HELD_OUT), options);
  const equalization: Equalization = { tensors, ...choice };
  if (choice.kept === 'plain') return told(model, plain, equalization, options);
  model.graph = other.graph;
  return told(model, equalized, equalization, options);
}

/** What became of a model, with everything that the report tells of it. */
interface Quantized {
  readonly found: Survey;
  readonly written: Written;
  readonly filled: Filled;
}

const told = (
  model: Model,
  { found, written, filled }: Quantized,
  equalization: Equalization | null,
  options: QuantizeOptions,
) => detailsOf(model, found, written, filled, options, equalization);

async function quantizeAsItIs(model: Model, options: QuantizeOptions): Promise<Quantized> {
  const found = await survey(model, options);
  const float = cloneModel(model);
  const written = writeSurvey(model, found, options);
  return { found, written, filled: await fill(float, model, written.inserted, options) };
}

/** Options whose progress is a part of the stage's. */
const within = (options: QuantizeOptions, from: number, to: number): QuantizeOptions => ({
  ...options,
  progress: (done, doing) => options.progress(from + (to - from) * done, doing),
});
