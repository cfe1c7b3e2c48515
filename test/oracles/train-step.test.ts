/** @file Whole training steps against independent numbers: gradient, and the weights after ten steps of every optimizer. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import type { Value } from '../../workers/onnx/graph.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { floatsOf } from '../../workers/onnx/values.ts';
import { blockSize } from '../../workers/runtime/blocked/block-size.ts';
import type { Labels } from '../../workers/training/batches/labels.ts';
import { canonical } from '../../workers/training/canonical.ts';
import type { BoundLoss } from '../../workers/training/losses/loss.ts';
import { buildTaskAligned } from '../../workers/training/losses/task-aligned/task-aligned.ts';
import { OPTIMIZERS } from '../../workers/training/optimizers/registry.ts';
import { findParameters } from '../../workers/training/parameters.ts';
import { buildTrainGraph } from '../../workers/training/train-graph.ts';
import { Trainer } from '../../workers/training/trainer.ts';
import { NO_SHARED_DATA, oracleCases } from '../helpers/shared-data.ts';

/** How much of the average stays, as the oracle defines it: almost none at first. */
const emaRamp = (step: number): number => 0.9999 * (1 - Math.exp(-step / 2000));

interface Plain {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

interface Run {
  readonly optimizer: 'SGD' | 'AdamW';
  readonly lr: number;
  readonly weight_decay_on_weights: number;
  readonly clip_max_norm: number | null;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly total_before_each_step: readonly number[];
  readonly gradient_norm_before_clip_each_step: readonly number[];
  readonly weights_after_10: Plain;
  readonly weights_after_10_float32_run_max_abs_diff: number;
  readonly [key: string]: unknown;
}

interface Case {
  readonly nc: number;
  readonly strides: readonly number[];
  readonly image_hw: readonly [number, number];
  readonly batch: number;
  readonly model: string;
  readonly parameters: readonly { name: string; start: number; count: number }[];
  readonly input: Plain;
  readonly targets: Readonly<Record<'batch_idx' | 'cls' | 'boxes_xywh_norm', Plain>>;
  readonly gradient: Plain;
  readonly runs: Readonly<Record<string, Run>>;
}

const cases = oracleCases('train-step');
if (cases.length === 0) test.skip(`train-step: ${NO_SHARED_DATA}`, () => {});

describe.each(cases.map((c) => [c.name, c.data as unknown as Case, c.folder] as const))(
  'train-step %s',
  (_, c, folder) => {
    test('gradient', async () => {
      const plain = { ...c.runs['sgd_plain']!, lr: 1, momentum: 0, nesterov: false };
      const { after } = await train(c, folder, plain, 1);
      const before = await initial(c, folder);
      const gradient = after.weights.map((w, i) => before[i]! - w);
      const scale = c.gradient.data.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
      expect(largestDifference(gradient, c.gradient.data) / scale).toBeLessThan(1e-4);
    });

    test.each(Object.entries(c.runs))('%s', async (_name, run) => {
      const { after, totals, norms } = await train(c, folder, run, 10);
      for (const [i, total] of run.total_before_each_step.entries())
        expect(totals[i]! / total).toBeCloseTo(1, 4);
      for (const [i, norm] of run.gradient_norm_before_clip_each_step.entries())
        expect(norms[i]! / norm).toBeCloseTo(1, 3);
      expect(largestDifference(after.weights, run.weights_after_10.data)).toBeLessThanOrEqual(
        10 * run.weights_after_10_float32_run_max_abs_diff,
      );
    });

    const averages = Object.entries(c.runs).flatMap(([name, run]) =>
      (['ema_constant', 'ema_ramp'] as const).flatMap((kind) =>
        run[`${kind}_after_10`] ? [[name, kind, run] as const] : [],
      ),
    );
    test.each(averages)('%s %s', async (_name, kind, run) => {
      const keep = (step: number) => (kind === 'ema_constant' ? 0.999 : emaRamp(step));
      const { after } = await train(c, folder, run, 10, keep);
      const expected = run[`${kind}_after_10`] as Plain;
      expect(largestDifference(after.average!, expected.data)).toBeLessThanOrEqual(
        10 * (run[`${kind}_after_10_float32_run_max_abs_diff`] as number),
      );
    });
  },
);

async function train(
  c: Case,
  folder: string,
  run: Run,
  steps: number,
  keep?: (step: number) => number,
) {
  const model = await canonical(readModel(await readFile(join(folder, c.model))), {
    batch: c.batch,
    height: c.image_hw[0],
    width: c.image_hw[1],
  });
  const optimizerOptions = {
    momentum: run.momentum ?? 0,
    nesterov: run.nesterov ?? false,
    betas: [0.9, 0.999] as const,
    epsilon: 1e-8,
  };
  const optimizer = OPTIMIZERS[run.optimizer === 'SGD' ? 'sgd' : 'adamw'];
  const image = model.graph.inputs[0]!.name;
  const graph = buildTrainGraph(
    model,
    findParameters(model.graph),
    lossOf(c, model.graph.outputs),
    c.batch,
    {
      optimizer,
      optimizerOptions,
      decay: run.weight_decay_on_weights,
      clip: run.clip_max_norm ?? undefined,
      ema: keep !== undefined,
      accumulate: 1,
      batchStatistics: false,
      block: await blockSize(),
    },
  );
  const options = { optimizer, optimizerOptions, threads: 1, provider: 'cpu' };
  const trainer = await Trainer.open(graph, image, options);
  const batch = { images: c.input.data, dims: c.input.shape, labels: labelsOf(c) };
  const [totals, norms]: number[][] = [[], []];
  for (let step = 1; step <= steps; step++) {
    const { loss, norm } = await trainer.train([batch], run.lr, keep?.(step) ?? 0);
    totals!.push(loss);
    norms!.push(norm);
  }
  const { tensors } = trainer.snapshot();
  const flat = (kind: string) => {
    const out = new Float32Array(c.gradient.data.length);
    for (const state of graph.states) {
      if (state.kind !== kind) continue;
      let at = 0;
      for (const { name, size } of state.parts) {
        const { start } = c.parameters.find((p) => p.name === name)!;
        out.set((tensors.get(state.input)!.data as Float32Array).subarray(at, at + size), start);
        at += size;
      }
    }
    return out;
  };
  await trainer.release();
  return {
    totals: totals!,
    norms: norms!,
    after: { weights: flat('weights'), average: keep && flat('ema') },
  };
}

async function initial(c: Case, folder: string): Promise<Float32Array> {
  const model = readModel(await readFile(join(folder, c.model)));
  const values = new Map(model.graph.initializers.map((v) => [v.name, v.constant!]));
  const out = new Float32Array(c.gradient.data.length);
  for (const { name, start } of c.parameters) out.set(floatsOf(values.get(name)!), start);
  return out;
}

/** Each output is [B, 4·bins + nc, H, W]. */
function lossOf(c: Case, outputs: readonly Value[]): BoundLoss {
  return {
    reads: outputs,
    build: (context) => {
      const levels = outputs.map((v, i) => ({
        box: context.g.slice(v, [1], [0], [64], [1]),
        cls: context.g.slice(v, [1], [64], [64 + c.nc], [1]),
        stride: c.strides[i]!,
      }));
      return buildTaskAligned({ levels, classes: c.nc, bins: 16 }, context);
    },
  };
}

function labelsOf({ batch, targets, image_hw: [h, w] }: Case): Labels {
  const images = Array.from(targets.batch_idx.data, Number);
  const most = Math.max(1, ...images.map((i) => images.filter((j) => j === i).length));
  const boxes = new Float32Array(batch * most * 4);
  const classes = new BigInt64Array(batch * most).fill(-1n);
  const next = new Array<number>(batch).fill(0);
  for (const [row, image] of images.entries()) {
    const at = image * most + next[image]!++;
    const [cx, cy, bw, bh] = targets.boxes_xywh_norm.data.subarray(4 * row, 4 * row + 4);
    boxes.set(
      [(cx! - bw! / 2) * w, (cy! - bh! / 2) * h, (cx! + bw! / 2) * w, (cy! + bh! / 2) * h],
      4 * at,
    );
    classes[at] = BigInt(targets.cls.data[row]!);
  }
  return { kind: 'boxes', boxes, classes, most };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((m, x, i) => Math.max(m, Math.abs(x - b[i]!)), 0);
