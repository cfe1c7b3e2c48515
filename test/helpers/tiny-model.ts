/** @file Small models written as text, with weights put in by name. */

import type { Model } from '../../workers/onnx/graph.ts';
import { parseText } from '../../workers/onnx/parse-text.ts';
import { Tensor } from '../../workers/onnx/tensor.ts';

export interface Weight {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/**
 * The model of `text` with those of its inputs that `weights` names turned into initializers.
 * Weights of `int64` inputs are shapes and axes.
 */
export function modelOf(
  text: string,
  weights: Readonly<Record<string, Weight>>,
  metadata: Readonly<Record<string, string>> = {},
): Model {
  const model = parseText(text);
  for (const value of model.graph.inputs) {
    const weight = weights[value.name];
    if (weight === undefined) continue;
    const whole = value.type?.kind === 'tensor' && value.type.dtype === 'int64';
    value.constant = (whole ? Tensor.int64 : Tensor.float32)(weight.dims, weight.data);
  }
  model.graph.initializers = model.graph.inputs.filter((v) => v.constant !== undefined);
  model.graph.inputs = model.graph.inputs.filter((v) => v.constant === undefined);
  Object.assign(model.metadata, metadata);
  return model;
}

/** Numbers in −1…1 that `seed` decides, shaped. */
export function randomWeight(dims: readonly number[], seed: number, scale = 1): Weight {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  };
  const size = dims.reduce((a, b) => a * b, 1);
  return { dims, data: Float32Array.from({ length: size }, next) };
}

export const shapeWeight = (...shape: number[]): Weight => ({ dims: [shape.length], data: shape });
