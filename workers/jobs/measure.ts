/** @file One model of a job, measured: what it says of the images, what it weighs, what it costs, how fast it is. */

import type { Measured } from '../../src/contract/report.ts';
import type { Dataset } from '../data/dataset.ts';
import { agreement } from '../evaluation/agreement.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { pairedLatency } from '../evaluation/latency.ts';
import { countMacs, countParams } from '../onnx/cost.ts';
import type { Model } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import type { Evaluation, TaskBinding } from '../tasks/task.ts';
import type { ModelFile } from './model-file.ts';
import type { Tell } from './progress.ts';

export interface Measuring {
  readonly dataset: Dataset | undefined;
  /** Intra-op threads of evaluations, and of latency measurements. */
  readonly threads: number;
  readonly latencyThreads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
}

/** What one model says of the splits that decide and inform; undefined where there are no images. */
export interface Evaluations {
  readonly val: Evaluation | undefined;
  readonly test: Evaluation | undefined;
}

/** val decides acceptance, test is only reported; both are skipped where the model takes no image. */
export async function evaluateSplits(
  { bytes }: ModelFile,
  binding: TaskBinding,
  { dataset, threads, provider, signal }: Measuring,
  tell: Tell,
): Promise<Evaluations> {
  const { val = [], test = [] } = binding.input ? (dataset?.splits ?? {}) : {};
  const total = val.length + test.length;
  const on = async (split: 'val' | 'test', samples: typeof val, before: number) =>
    samples.length === 0
      ? undefined
      : evaluate(bytes, binding, samples, {
          threads,
          provider,
          signal,
          onProgress: (done) => tell((before + done) / total, `evaluating on ${split}`),
        });
  return { val: await on('val', val, 0), test: await on('test', test, val.length) };
}

/**
 * Everything of `Measured` but latency.
 *
 * @param reference what the job's input model said of the same images; undefined: this is that model
 */
export async function measured(
  file: ModelFile,
  binding: TaskBinding,
  { val, test }: Evaluations,
  reference?: Evaluations,
): Promise<Measured> {
  const agrees = (own: Evaluation, other: Evaluation | undefined) =>
    other ? { agreement: agreement(other, own, binding) } : { agreement: 1 };
  return {
    metrics: val ? { ...val.metrics, ...agrees(val, reference?.val) } : {},
    ...(test && { test: { ...test.metrics, ...agrees(test, reference?.test) } }),
    ...(val?.perClass && { perClass: val.perClass }),
    ...(val?.curves && { curves: [...val.curves] }),
    ...(await costs(file, binding)),
    bytes: file.bytes.length,
    latencyMs: null,
  };
}

/** At batch 1 and the size that images are given in, where the file leaves them open. */
async function costs(
  file: ModelFile,
  binding: TaskBinding,
): Promise<{ params: number; macs: number }> {
  const model = file.read();
  fixInput(model, binding);
  await inferTypes(model);
  return { params: countParams(model), macs: Math.round(countMacs(model)) };
}

/** Give the image input the shape that images have here, where the file leaves some of it open. */
export function fixInput(model: Model, { input }: TaskBinding): void {
  const value = input && model.graph.inputs.find((v) => v.name === input.name);
  if (!input || value?.type?.kind !== 'tensor') return;
  const [height, width] = input.size;
  const sizes = [input.channels, height, width];
  const [c, h, w] = sizes;
  const shape = [1, ...(input.layout === 'NCHW' ? sizes : [h!, w!, c!])];
  const open = value.type.shape?.some((d) => typeof d !== 'number');
  if (open) value.type = { ...value.type, shape };
}

export interface Speed {
  readonly baseline: Measured['latencyMs'];
  readonly own: Measured['latencyMs'];
  readonly speedup: number;
  readonly interval: [number, number];
}

/**
 * Paired with the job's input model, interleaved in this process: never taken from an earlier run.
 *
 * @param inputSize [height, width] where a model leaves them open
 */
export async function measureSpeed(
  input: ModelFile,
  own: ModelFile,
  inputSize: readonly [number, number],
  { latencyThreads, provider, signal }: Measuring,
  tell: Tell,
): Promise<Speed> {
  const [before, after] = await pairedLatency([input.bytes, own.bytes], {
    threads: latencyThreads,
    provider,
    inputSize,
    signal,
    onProgress: (done, total) => tell(done / total, 'measuring latency'),
  });
  return {
    baseline: before!.latency,
    own: after!.latency,
    speedup: after!.speedup,
    interval: [...after!.interval],
  };
}
