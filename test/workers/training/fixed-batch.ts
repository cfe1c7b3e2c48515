/** @file Twenty steps on one batch with seeded labels: does the loss fall? */

import type { Sample } from '../../../workers/data/dataset.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { random } from '../../../workers/runtime/random.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import type { Labels } from '../../../workers/training/batches/labels.ts';
import { type Prepared, prepare } from '../../../workers/training/prepare.ts';
import type { TrainSettings } from '../../../workers/training/settings.ts';

export const STEPS = 20;

/** Gradients are clipped, since weights of the zoo are noise and their losses steep. */
const SETTINGS: Omit<TrainSettings, 'loss' | 'batch'> = {
  optimizer: 'adamw',
  decay: 0,
  clip: 10,
  ema: false,
  augment: false,
  length: { steps: STEPS },
  lr: 1e-3,
  schedule: 'constant',
  warmUp: 0,
  freeze: [],
  labelSmoothing: 0,
  batchStatistics: false,
  patience: 0,
};

export interface Fall {
  readonly loss: string;
  readonly before: number;
  /** The lowest of any step of any rate: which rate suits weights of noise is no question here. */
  readonly after: number;
}

/** Boxes for detectors, a class for classifiers, else the model's own outputs with noise of their spread. */
export async function trainOnOneBatch(model: Model, batch: number, threads = 1): Promise<Fall> {
  const [image] = Object.entries(randomInputs(model, 3));
  const binding = bindTask(model);
  const prepared = await prepare(
    model,
    { ...SETTINGS, batch, loss: binding.task === 'generic' ? 'mse' : 'auto' },
    { binding, fit: [LABELLED], threads, provider: 'cpu', info: () => {} },
  );
  const { dims, data } = image![1];
  const pictures = { images: data as Float32Array<ArrayBuffer>, dims };
  const full = { ...pictures, labels: await labelsOf(prepared, binding, pictures, dims[0]!) };
  const start = prepared.trainer.snapshot();
  const falls: number[] = [];
  let before = Number.NaN;
  for (const lr of RATES) {
    prepared.trainer.restore(start);
    for (let step = 0; step <= STEPS; step++) {
      const { loss } = await prepared.trainer.train([full], lr, 1);
      if (step === 0) before = loss;
      if (Number.isFinite(loss)) falls.push(loss);
    }
    if (Math.min(...falls) <= 0.9 * before) break;
  }
  await prepared.release();
  return { loss: prepared.loss?.name ?? 'none', before, after: Math.min(...falls) };
}

const RATES = [1e-3, 1e-4, 1e-5];

/** Stands for a data set that has labels of every kind. */
const LABELLED: Sample = { name: 'seeded', file: '', boxes: [], label: 0 };

async function labelsOf(
  prepared: Prepared,
  binding: TaskBinding,
  batch: { readonly images: Float32Array<ArrayBuffer>; readonly dims: readonly number[] },
  count: number,
): Promise<Labels> {
  const rng = random(11);
  const classes = binding.classes?.length ?? 1;
  if (prepared.reference) return noisy(await prepared.reference.label(batch), rng);
  if (binding.task === 'classify') {
    const targets = new Float32Array(count * classes);
    for (let b = 0; b < count; b++) targets[b * classes + rng.below(classes)] = 1;
    return { kind: 'classes', targets };
  }
  const most = 4;
  const [height, width] = binding.inputSize;
  const boxes = Float32Array.from({ length: count * most * 4 }, (_, i) => {
    const side = i % 2 === 0 ? width : height;
    const near = 0.1 + 0.3 * rng.uniform();
    return side * (i % 4 < 2 ? near : near + 0.5);
  });
  const kinds = BigInt64Array.from({ length: count * most }, () => BigInt(rng.below(classes)));
  return { kind: 'boxes', boxes, classes: kinds, most };
}

function noisy(labels: Labels, rng: ReturnType<typeof random>): Labels {
  if (labels.kind !== 'tensors') return labels;
  const moved = ([name, t]: [string, Float32Array<ArrayBuffer>]) => {
    const mean = t.reduce((a, b) => a + b, 0) / t.length;
    const spread = Math.sqrt(t.reduce((a, x) => a + (x - mean) ** 2, 0) / t.length);
    return [name, t.map((x) => 0.5 * x + spread * (0.5 + 0.1 * rng.normal()))] as const;
  };
  return {
    kind: 'tensors',
    targets: Object.fromEntries(Object.entries(labels.targets).map(moved)),
  };
}
