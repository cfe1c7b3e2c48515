/**
 * @file A tiny classifier of blood cells, trained here and now: fixed random filters, and a softmax layer fitted by
 * gradient descent on crops of a labelled detection set. No gradients of Lathe's own are used.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

import type { Preprocess } from '../../src/contract/preprocess.ts';
import type { Dataset, Sample } from '../../workers/data/dataset.ts';
import { loadInput } from '../../workers/data/input.ts';
import { openDataset } from '../../workers/data/open.ts';
import type { Model } from '../../workers/onnx/graph.ts';
import { writeModel } from '../../workers/onnx/write.ts';
import { openSession } from '../../workers/runtime/session.ts';
import { modelOf, randomWeight, type Weight } from './tiny-model.ts';

const SIDE = 32;
const FILTERS = [16, 24] as const;
const FEATURES = FILTERS[1] * 4 * 4;
/** Crops of one class and split: keeps the set balanced and small. */
const MOST = { train: 120, val: 40 } as const;
/** Smaller boxes are too blurred to tell apart. */
const LEAST_PIXELS = 8;

export interface CellClassifier {
  readonly model: Uint8Array;
  /** Class folders under train and val. */
  readonly data: string;
  readonly classes: readonly string[];
}

/**
 * @param detection path of a labelled detection set with train and val splits
 * @param folder    an empty folder for the crops
 */
export async function trainCellClassifier(
  detection: string,
  folder: string,
): Promise<CellClassifier> {
  const source = await openDataset(detection);
  const data = join(folder, 'cells');
  for (const split of ['train', 'val'] as const) await cutCrops(source, split, join(data, split));
  const { splits, classes } = await openDataset(data);
  const features = await featuresOf(splits.train);
  const layer = fitSoftmax(
    features,
    splits.train.map((s) => s.label!),
    classes!.length,
  );
  const model = classifierModel(layer, classes!);
  return { model: writeModel(model), data, classes: classes! };
}

async function cutCrops(source: Dataset, split: 'train' | 'val', folder: string): Promise<void> {
  const counts = new Map<number, number>();
  for (const sample of source.splits[split]) {
    const { width, height } = await sharp(sample.file).metadata();
    for (const [i, [cls, cx, cy, w, h]] of (sample.boxes ?? []).entries()) {
      const count = counts.get(cls) ?? 0;
      const [left, top] = [(cx - w / 2) * width, (cy - h / 2) * height].map((v) =>
        Math.max(0, Math.round(v)),
      );
      const across = Math.min(width - left!, Math.round(w * width));
      const down = Math.min(height - top!, Math.round(h * height));
      if (count >= MOST[split] || Math.min(across, down) < LEAST_PIXELS) continue;
      counts.set(cls, count + 1);
      const target = join(folder, source.classes![cls]!);
      await mkdir(target, { recursive: true });
      const stem = sample.name.replace(/\W+/g, '-');
      await sharp(sample.file)
        .extract({ left: left!, top: top!, width: across, height: down })
        .png()
        .toFile(join(target, `${stem}-${i}.png`));
    }
  }
}

const PREPROCESS: Preprocess = {
  channels: 'rgb',
  scale: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  resize: 'stretch',
  pad: 114,
};

const BODY = `
  c1 = Conv<pads=[1, 1, 1, 1], strides=[2, 2]>(image, w1, b1)
  r1 = Relu(c1)
  c2 = Conv<pads=[1, 1, 1, 1], strides=[2, 2]>(r1, w2, b2)
  r2 = Relu(c2)
  p2 = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(r2)
  f = Flatten(p2)`;

const [A, B] = FILTERS;
const BODY_INPUTS = `float[1, 3, ${SIDE}, ${SIDE}] image, float[${A}, 3, 3, 3] w1, float[${A}] b1, float[${B}, ${A}, 3, 3] w2, float[${B}] b2`;

const bodyWeights = (): Record<string, Weight> => ({
  w1: randomWeight([A, 3, 3, 3], 11, 0.3),
  b1: randomWeight([A], 12, 0.1),
  w2: randomWeight([B, A, 3, 3], 13, 0.15),
  b2: randomWeight([B], 14, 0.1),
});

async function featuresOf(samples: readonly Sample[]): Promise<Float32Array[]> {
  const session = await openSession(
    modelOf(`(${BODY_INPUTS}) => (float[1, ${FEATURES}] f) {${BODY}\n}`, bodyWeights()),
  );
  const features: Float32Array[] = [];
  for (const sample of samples) {
    const { data, dims } = await loadInput(sample, PREPROCESS, [SIDE, SIDE]);
    const outputs = await session.run({ image: { data, dims } });
    features.push((outputs['f']!.data as Float32Array).slice());
  }
  await session.release();
  return features;
}

interface Layer {
  readonly weight: Float32Array; // [FEATURES, classes]
  readonly bias: Float32Array;
}

/** Full-batch gradient descent on the cross-entropy, with a little decay. */
function fitSoftmax(x: readonly Float32Array[], labels: readonly number[], classes: number): Layer {
  const weight = new Float32Array(FEATURES * classes);
  const bias = new Float32Array(classes);
  const rate = 0.05;
  for (let step = 0; step < 150; step++) {
    const dw = new Float32Array(FEATURES * classes);
    const db = new Float32Array(classes);
    for (const [n, features] of x.entries()) {
      const p = softmax(logits(features, weight, bias));
      p[labels[n]!]! -= 1;
      for (let c = 0; c < classes; c++) {
        db[c]! += p[c]! / x.length;
        for (let f = 0; f < FEATURES; f++)
          dw[f * classes + c]! += (p[c]! * features[f]!) / x.length;
      }
    }
    for (const [i, d] of dw.entries()) weight[i]! -= rate * (d + 1e-3 * weight[i]!);
    for (const [i, d] of db.entries()) bias[i]! -= rate * d;
  }
  return { weight, bias };
}

function logits(features: Float32Array, weight: Float32Array, bias: Float32Array): Float64Array {
  const z = Float64Array.from(bias);
  for (let f = 0; f < FEATURES; f++)
    for (let c = 0; c < z.length; c++) z[c]! += features[f]! * weight[f * z.length + c]!;
  return z;
}

function softmax(z: Float64Array): Float64Array {
  const most = Math.max(...z);
  const e = z.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

function classifierModel({ weight, bias }: Layer, classes: readonly string[]): Model {
  const n = classes.length;
  return modelOf(
    `(${BODY_INPUTS}, float[${FEATURES}, ${n}] w3, float[${n}] b3) => (float[1, ${n}] scores) {${BODY}
      scores = Gemm(f, w3, b3)
    }`,
    {
      ...bodyWeights(),
      w3: { dims: [FEATURES, n], data: weight },
      b3: { dims: [n], data: bias },
    },
    {
      names: `{${classes.map((name, i) => `${i}: '${name}'`).join(', ')}}`,
      task: 'classify',
      'lathe.preprocess': JSON.stringify(PREPROCESS),
    },
  );
}
