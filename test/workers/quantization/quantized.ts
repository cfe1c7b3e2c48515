/** @file A float model and what quantization makes of it, for one random input. */

import { checkModel } from '../../../workers/onnx/check.ts';
import { cloneModel } from '../../../workers/onnx/clone.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { normalize } from '../../../workers/onnx/normalize.ts';
import type { QuantizeDetails } from '../../../workers/quantization/details.ts';
import { PRECISIONS } from '../../../workers/quantization/precisions.ts';
import { quantizeModel } from '../../../workers/quantization/quantize-model.ts';
import type { QuantizeOptions } from '../../../workers/quantization/settings.ts';
import { sqnr } from '../../../workers/quantization/sqnr.ts';
import { openFloatSession } from '../../../workers/runtime/float-session.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import type { Feed } from '../../../workers/runtime/session.ts';
import { testFolder } from '../../helpers/image-folder.ts';

export interface Quantized {
  readonly model: Model;
  readonly details: QuantizeDetails;
  /** Of the first output, on an input that calibration has seen, dB. */
  readonly db: number;
}

export async function quantized(
  float: Model,
  options: Partial<QuantizeOptions> = {},
): Promise<Quantized> {
  const images = 4;
  const seen = Array.from({ length: images }, (_, i) => randomInputs(float, i));
  const model = cloneModel(float);
  normalize(model, PRECISIONS[options.precision ?? 'int8'].opset);
  const details = await quantizeModel(model, {
    ...(await int8Options({ images, feeds: (from, to) => each(seen.slice(from, to)) })),
    ...options,
  });
  checkModel(model);
  const [x, y] = [await first(float, seen[0]!), await first(model, seen[0]!)];
  return { model, details, db: sqnr(x, y) };
}

/** Options of int8 for onnxruntime. */
export async function int8Options(
  options: Pick<QuantizeOptions, 'feeds' | 'images'> & Partial<QuantizeOptions>,
): Promise<QuantizeOptions> {
  return {
    precision: 'int8',
    profile: 'onnxruntime-cpu',
    calibrator: 'auto',
    keepFloat: [],
    reduceRange: false,
    inputDims: {},
    rounding: 'nearest',
    seed: 0,
    threads: 1,
    provider: 'cpu',
    signal: new AbortController().signal,
    scratch: await testFolder(),
    progress: () => {},
    ...options,
  };
}

async function* each(feeds: readonly Record<string, Feed>[]) {
  yield* feeds;
}

async function first(model: Model, feeds: Record<string, Feed>): Promise<Float32Array> {
  const session = await openFloatSession(model);
  const results = await session.run(feeds);
  await session.release();
  return results[model.graph.outputs[0]!.name]!.data as Float32Array;
}

export const countOps = ({ graph }: Model, op: string): number =>
  graph.nodes.filter((n) => n.op === op).length;
