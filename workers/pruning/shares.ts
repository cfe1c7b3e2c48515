/** @file What is left of a model. */

import { countMacs, countParams } from '../onnx/cost.ts';
import type { Model } from '../onnx/graph.ts';

/** MACs and parameters of what is left, as shares of the model's. */
export const sharesOf = (model: Model, left: Model) => ({
  macs: countMacs(left) / countMacs(model),
  params: countParams(left) / countParams(model),
});
