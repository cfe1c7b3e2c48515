/** @file Post-training quantization of a whole model: survey it, write integers into it, fill in the best constants. */

import { cloneModel } from '../onnx/clone.ts';
import type { Model } from '../onnx/graph.ts';
import { portion } from '../runtime/portion.ts';
import { chooseModel } from './choose-variant.ts';
import { detailsOf, type Equalization, type QuantizeDetails } from './details.ts';
import { equalize } from './equalize/equalize.ts';
import { fill, HELD_OUT } from './fill.ts';
import type { QuantizeOptions } from './settings.ts';
import { type Survey, survey } from './survey.ts';
import { type Written, writeSurvey } from './write-survey.ts';

/** Share of the work until both ways are written. */
const EQUALIZING = 0.9;

/** Quantize `model` in place: float32 weights, and the opset that the precision needs or newer. */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizeDetails> {
  const evened = await equalize(model, options);
  if (evened === undefined) return finish(model, await integersIn(model, options), options);
  const { tensors, model: other } = evened;
  const plain = await integersIn(model, portion(options, 0, EQUALIZING / 2));
  const equalized = await integersIn(other, portion(options, EQUALIZING / 2, EQUALIZING));
  const models = { plain: model, equalized: other };
  const choice = await chooseModel(plain.float, models, () => options.feeds(-HELD_OUT), options);
  const equalization: Equalization = { tensors, ...choice };
  if (choice.kept === 'plain') return finish(model, plain, options, equalization);
  model.graph = other.graph;
  return finish(model, equalized, options, equalization);
}

/** A model with integers written into it, and what it was made from. */
interface Draft {
  readonly float: Model;
  readonly found: Survey;
  readonly written: Written;
}

async function integersIn(model: Model, options: QuantizeOptions): Promise<Draft> {
  const found = await survey(model, options);
  const float = cloneModel(model);
  return { float, found, written: writeSurvey(model, found, options) };
}

async function finish(
  model: Model,
  { float, found, written }: Draft,
  options: QuantizeOptions,
  equalization: Equalization | null = null,
): Promise<QuantizeDetails> {
  const filled = await fill(float, model, written.inserted, options);
  return detailsOf(model, found, written, filled, options, equalization);
}
