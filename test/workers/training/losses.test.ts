/** @file Losses of classifiers and regressions against their formulas in plain arithmetic. */

import { describe, expect, test } from 'vitest';

import { backward } from '../../../workers/autodiff/backward.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import type { TaskBinding } from '../../../workers/tasks/task.ts';
import type { Labels } from '../../../workers/training/batches/labels.ts';
import { canonical } from '../../../workers/training/canonical.ts';
import { lossContext } from '../../../workers/training/losses/context.ts';
import type { LossOptions } from '../../../workers/training/losses/loss.ts';
import { chooseLoss, LOSSES, type LossName } from '../../../workers/training/losses/registry.ts';
import { modelOf } from '../../helpers/tiny-model.ts';

const LOGITS = [1.5, -0.5, 0.25, -2, 3, 0.75];
const [ROWS, CLASSES] = [2, 3];
const classifier = {
  task: 'classify',
  head: { output: 'y', classes: CLASSES },
} as unknown as TaskBinding;
const generic = { task: 'generic' } as TaskBinding;

/** y = x, or its softmax. */
const model = (op: 'Identity' | 'Softmax') =>
  canonical(
    modelOf(
      `(float[${ROWS}, ${CLASSES}] x) => (float[${ROWS}, ${CLASSES}] y) { y = ${op}(x) }`,
      {},
    ),
  );

async function lossOf(
  name: LossName,
  built: Model,
  binding: TaskBinding,
  labels: Labels,
  options: LossOptions = {},
) {
  const { graph } = built;
  const g = new GraphBuilder(graph);
  const { bound } = chooseLoss(name, graph, binding, { ...options, labelled: true });
  const { context, stop } = lossContext(g, ROWS);
  const loss = bound.build(context);
  const x = graph.inputs[0]!;
  const seed = { value: loss.total, gradient: g.floats([], [1], loss.total) };
  const [dx] = backward(graph, [seed], [x], { g, stop });
  graph.outputs = [loss.total, dx!];
  const session = await openSession(built);
  const feeds = { x: { dims: [ROWS, CLASSES], data: Float32Array.from(LOGITS) } };
  const results = await session.run({ ...feeds, ...loss.feeds(labels) });
  await session.release();
  return {
    value: Number(results[loss.total.name]!.data[0]),
    gradient: Array.from(results[dx!.name]!.data, Number),
  };
}

const TARGETS = [0, 1, 0, 0.75, 0, 0.25];
const classes: Labels = { kind: 'classes', targets: Float32Array.from(TARGETS) };
const WANTED = [1, 0, 0.5, -1, 2.5, 4];
const tensors = (name: string): Labels => ({
  kind: 'tensors',
  targets: { [name]: Float32Array.from(WANTED) },
});

const rows = (x: readonly number[]) => [x.slice(0, 3), x.slice(3)];
const softmax = (x: readonly number[]) => {
  const e = x.map(Math.exp);
  const s = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / s);
};
const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);
const mean = (x: readonly number[]) => sum(x) / x.length;

function crossEntropy(x: readonly number[], smoothing: number): number {
  return mean(
    rows(x).map((row, b) =>
      sum(
        softmax(row).map(
          (p, c) => -Math.log(p) * ((1 - smoothing) * TARGETS[3 * b + c]! + smoothing / 3),
        ),
      ),
    ),
  );
}
const bce = (x: readonly number[]) =>
  sum(x.map((v, i) => Math.log1p(Math.exp(v)) - v * TARGETS[i]!)) / ROWS;
const mse = (x: readonly number[]) => mean(x.map((v, i) => (v - WANTED[i]!) ** 2));
const huber = (x: readonly number[], delta: number) =>
  mean(
    x.map((v, i) => {
      const d = Math.abs(v - WANTED[i]!);
      return d <= delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
    }),
  );
const agreement = (x: readonly number[]) =>
  sum(x.map((v, i) => (v - WANTED[i]!) ** 2)) / sum(WANTED.map((t) => (t - mean(WANTED)) ** 2));

type Row = readonly [LossName, LossOptions, TaskBinding, Labels, (x: readonly number[]) => number];
const TABLE: readonly Row[] = [
  ['cross-entropy', {}, classifier, classes, (x) => crossEntropy(x, 0.1)],
  ['cross-entropy', { labelSmoothing: 0 }, classifier, classes, (x) => crossEntropy(x, 0)],
  ['bce', {}, classifier, classes, bce],
  ['mse', {}, generic, tensors('y'), mse],
  ['huber', {}, generic, tensors('y'), (x) => huber(x, 1)],
  ['huber', { delta: 0.4 }, generic, tensors('y'), (x) => huber(x, 0.4)],
  ['agreement', {}, generic, tensors('y'), agreement],
];

describe('losses', () => {
  test.each(TABLE)('%s %j: value and gradient', async (name, options, binding, labels, formula) => {
    const { value, gradient } = await lossOf(
      name,
      await model('Identity'),
      binding,
      labels,
      options,
    );
    expect(value).toBeCloseTo(formula(LOGITS), 5);
    for (const [i, d] of gradient.entries()) {
      const moved = (by: number) => formula(LOGITS.map((v, k) => (k === i ? v + by : v)));
      expect(d, `element ${i}`).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 4);
    }
  });

  test('a classifier that ends in Softmax is trained on what goes into it', async () => {
    const { value } = await lossOf('cross-entropy', await model('Softmax'), classifier, classes);
    expect(value).toBeCloseTo(crossEntropy(LOGITS, 0.1), 5);
  });

  test('every loss but detection, which has oracles, is in the table', () => {
    const others = Object.keys(LOSSES).filter((n) => n !== 'task-aligned');
    expect(new Set(TABLE.map(([name]) => name))).toEqual(new Set(others));
  });

  test.each([
    ['task-aligned', classifier, true, /its task is classify/],
    ['cross-entropy', generic, true, /its task is generic/],
    ['cross-entropy', classifier, false, /no labels/],
  ] as const)('%s does not fit', async (name, binding, labelled, why) => {
    const { graph } = await model('Identity');
    expect(() => chooseLoss(name, graph, binding, { labelled })).toThrow(why);
  });
});
