/** @file Post-training quantization of a whole model: survey it, write integers into it, fill in the best constants. */

import { cloneModel } from '../onnx/clone.ts';
import type { Model } from '../onnx/graph.ts';
import { detailsOf, type QuantizeDetails } from './details.ts';
import { fill } from './fill.ts';
import type { QuantizeOptions } from './settings.ts';
import { survey } from './survey.ts';
import { writeSurvey } from './write-survey.ts';

/** Quantize `model` in place: float32 weights, and the opset that the precision needs or newer. */
export async function quantizeModel(
  model: Model,
  options: QuantizeOptions,
): Promise<QuantizeDetails> {
  const found = await survey(model, options);
  const float = cloneModel(model);
  const written = writeSurvey(model, found, options);
  const filled = await fill(float, model, written.inserted, options);
  return detailsOf(model, found, written, filled, options);
}
