/** @file The detection loss against independent numbers: parts, assignment, gradients with respect to the raw maps. */

import { expect, test } from 'vitest';

import { backward } from '../../workers/autodiff/backward.ts';
import { GraphBuilder } from '../../workers/onnx/builder.ts';
import { emptyModel, Value } from '../../workers/onnx/graph.ts';
import { openSession } from '../../workers/runtime/session.ts';
import type { Labels } from '../../workers/training/batches/labels.ts';
import { lossContext } from '../../workers/training/losses/context.ts';
import { buildTaskAligned } from '../../workers/training/losses/task-aligned/task-aligned.ts';
import { NO_SHARED_DATA, oracleCases } from '../helpers/shared-data.ts';

interface Plain {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

interface Case {
  readonly nc: number;
  readonly reg_max: number;
  readonly strides: readonly number[];
  readonly batch: number;
  readonly targets: Readonly<Record<'batch_idx' | 'cls' | 'boxes_xyxy_px', Plain>>;
  readonly raw: readonly Plain[];
  readonly assigned: Readonly<
    Record<'image' | 'anchor' | 'target_class' | 'target_score' | 'target_box_xyxy_px', Plain>
  >;
  readonly normaliser_N: number;
  readonly loss: Readonly<Record<string, number>>;
  readonly grad_cls: readonly Plain[];
  readonly grad_box_at_assigned: Plain;
  readonly grad_abs_max: number;
}

const cases = oracleCases('tal-loss');
if (cases.length === 0) test.skip(`tal-loss: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c.data as unknown as Case] as const))(
  'tal-loss %s',
  async (_, c) => {
    const { results, anchors } = await run(c);
    const scalar = (name: string) => Number(results[name]!.data[0]);
    for (const part of ['box', 'cls', 'dfl'] as const)
      expectRelative(scalar(part), c.loss[`${part}_without_gain`]!, part);
    expectRelative(scalar('total'), c.loss['total']!, 'total');

    const score = results['score']!.data as Float32Array;
    const expected = new Map(
      Array.from(c.assigned.image.data, (b, i) => [b * anchors + c.assigned.anchor.data[i]!, i]),
    );
    for (const [at, s] of score.entries()) {
      const i = expected.get(at);
      const target = i === undefined ? 0 : c.assigned.target_score.data[i]!;
      expect(Math.abs(s - target), `target score of cell ${at}`).toBeLessThan(1e-5);
      if (i === undefined || target === 0) continue;
      expect(Number(results['class']!.data[at])).toBe(c.assigned.target_class.data[i]);
      for (const [side, name] of ['x1', 'y1', 'x2', 'y2'].entries())
        expect(results[name]!.data[at]).toBeCloseTo(
          c.assigned.target_box_xyxy_px.data[4 * i + side]!,
          3,
        );
    }
    expectGradients(c, results, expected, anchors);
  },
);

async function run(c: Case) {
  const model = emptyModel(10, 21);
  const { graph } = model;
  const raw = c.raw.map(({ shape }, i) => {
    const value = new Value(`raw${i}`, { kind: 'tensor', dtype: 'float32', shape });
    graph.inputs.push(value);
    return value;
  });
  const g = new GraphBuilder(graph);
  const levels = raw.map((v, i) => {
    const channels = c.raw[i]!.shape[1]!;
    return {
      box: g.slice(v, [1], [0], [4 * c.reg_max], [1]),
      cls: g.slice(v, [1], [4 * c.reg_max], [channels], [1]),
      stride: c.strides[i]!,
    };
  });
  const { context, stop } = lossContext(g, c.batch);
  const maps = { levels, classes: c.nc, bins: c.reg_max };
  const loss = buildTaskAligned(maps, context);
  const one = g.floats([], [1], loss.total);
  const gradients = backward(graph, [{ value: loss.total, gradient: one }], raw, { g, stop });
  const { score, cls, box } = loss.assignment;
  const named: Record<string, Value> = { ...loss.parts, total: loss.total, score, class: cls };
  for (const [i, name] of ['x1', 'y1', 'x2', 'y2'].entries()) named[name] = box[i]!;
  for (const [i, v] of gradients.entries()) named[`d${i}`] = v;
  graph.outputs = Object.values(named);
  const session = await openSession(model);
  const feeds = Object.fromEntries(
    c.raw.map(({ shape, data }, i) => [`raw${i}`, { dims: shape, data }]),
  );
  const found = await session.run({ ...feeds, ...loss.feeds(labelsOf(c)) });
  await session.release();
  const results = Object.fromEntries(Object.entries(named).map(([k, v]) => [k, found[v.name]!]));
  const anchors = c.raw.reduce((n, { shape }) => n + shape[2]! * shape[3]!, 0);
  return { results, anchors };
}

function labelsOf({ batch, targets }: Case): Labels {
  const images = Array.from(targets.batch_idx.data, Number);
  const counts = Array.from({ length: batch }, (_, b) => images.filter((i) => i === b).length);
  const most = Math.max(1, ...counts);
  const boxes = new Float32Array(batch * most * 4);
  const classes = new BigInt64Array(batch * most).fill(-1n);
  const next = new Array<number>(batch).fill(0);
  for (const [row, image] of images.entries()) {
    const at = image * most + next[image]!++;
    boxes.set(targets.boxes_xyxy_px.data.subarray(4 * row, 4 * row + 4), 4 * at);
    classes[at] = BigInt(targets.cls.data[row]!);
  }
  return { kind: 'boxes', boxes, classes, most };
}

/** Class gradients everywhere; box gradients at assigned cells, and zero at all others. */
function expectGradients(
  c: Case,
  results: Readonly<Record<string, { readonly data: ArrayLike<number | bigint> }>>,
  assigned: ReadonlyMap<number, number>,
  anchors: number,
): void {
  const box = 4 * c.reg_max;
  let first = 0;
  for (const [level, { shape }] of c.raw.entries()) {
    const [batch, channels, rows, columns] = shape as [number, number, number, number];
    const cells = rows * columns;
    const got = results[`d${level}`]!.data;
    for (let b = 0; b < batch; b++)
      for (let channel = 0; channel < channels; channel++)
        for (let cell = 0; cell < cells; cell++) {
          const actual = Number(got[(b * channels + channel) * cells + cell]);
          const row = assigned.get(b * anchors + first + cell);
          const expected =
            channel >= box
              ? c.grad_cls[level]!.data[(b * c.nc + channel - box) * cells + cell]!
              : row === undefined
                ? 0
                : c.grad_box_at_assigned.data[row * box + channel]!;
          const error = Math.abs(actual - expected);
          if (error > 1e-5 + 1e-4 * c.grad_abs_max)
            expect.fail(
              `level ${level}, image ${b}, channel ${channel}, cell ${cell}: ${actual}, not ${expected}`,
            );
        }
    first += cells;
  }
}

const expectRelative = (actual: number, expected: number, what: string) =>
  expect(Math.abs(actual - expected), what).toBeLessThanOrEqual(1e-5 * Math.abs(expected) + 1e-9);
