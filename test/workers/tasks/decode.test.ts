import { expect, test } from 'vitest';

import { place } from '../../../workers/data/geometry.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { imageFeed, toPlane, toPlanes } from '../../../workers/tasks/feed.ts';
import { bindTask, TASKS } from '../../../workers/tasks/registry.ts';
import type { Detection, Plane, TaskBinding } from '../../../workers/tasks/task.ts';
import { endToEnd, yolov5, yolov8, yolov8Joined, yolox } from '../../helpers/head-models.ts';

/** The input shows an image of 128 × 64 pixels at half size, with 16 rows of border above. */
const geometry = place('letterbox', [64, 128], [64, 64]);

function decoded(binding: TaskBinding, plane: Plane): readonly Detection[] {
  const prediction = TASKS.detect.decode({ y: plane }, binding, geometry);
  return prediction.kind === 'boxes' ? prediction.boxes : [];
}

/** [1, columns, cells] or its transpose, zero but for the given cells. */
function planeOf(
  columns: number,
  cells: number,
  rows: Readonly<Record<number, readonly number[]>>,
  candidates: 'last' | 'middle',
): Plane {
  const data = new Float32Array(columns * cells);
  for (const [cell, values] of Object.entries(rows))
    for (const [c, v] of values.entries())
      data[candidates === 'last' ? c * cells + Number(cell) : Number(cell) * columns + c] = v;
  return { dims: candidates === 'last' ? [1, columns, cells] : [1, cells, columns], data };
}

const round = (boxes: readonly Detection[]) =>
  boxes.map((b) =>
    [b.class, b.score, b.x, b.y, b.width, b.height].map((v) => Number(v.toFixed(4))),
  );

const row = [32, 32, 16, 8]; // cx cy w h in the input: 32…64 × 12…… of the image after mapping back

test.each([
  ['last', yolov8()],
  ['middle', yolov8({ transposed: true })],
] as const)('YOLOv8 boxes come back to the image, candidates %s', (candidates, model) => {
  const plane = planeOf(7, 84, { 5: [...row, 0.9, 0.0005, 0.3] }, candidates);

  expect(round(decoded(bindTask(model), plane))).toEqual([
    [0, 0.9, 48, 24, 32, 16],
    [2, 0.3, 48, 24, 32, 16],
  ]);
});

test('scores are multiplied by objectness', () => {
  const plane = planeOf(8, 252, { 5: [...row, 0.5, 0.8, 0, 0.1] }, 'middle');

  expect(round(decoded(bindTask(yolov5()), plane))).toEqual([
    [0, 0.4, 48, 24, 32, 16],
    [2, 0.05, 48, 24, 32, 16],
  ]);
});

// Cells of an 8 × 8, a 4 × 4 and a 2 × 2 grid, row-major, level by level.
test.each([
  [0, 8, 0, 0],
  [9, 8, 1, 1],
  [64 + 6, 16, 2, 1],
  [64 + 16 + 3, 32, 1, 1],
])('YOLOX cell %i has stride %i, column %i, row %i', (cell, stride, column, rowIndex) => {
  const raw = [0.25, 0.5, Math.log(0.5), Math.log(0.25), 1, 0.9, 0, 0];
  const [cx, cy] = [(column + 0.25) * stride, (rowIndex + 0.5) * stride];
  const [w, h] = [0.5 * stride, 0.25 * stride];
  const binding = { ...bindTask(yolox()), preprocess: bindTask(yolov8()).preprocess };

  const [box] = decoded(binding, planeOf(8, 84, { [cell]: raw }, 'middle'));

  const corner = (v: number, most: number) => Math.min(most, Math.max(0, v));
  const [x1, x2] = [corner((cx - w / 2) * 2, 128), corner((cx + w / 2) * 2, 128)];
  const [y1, y2] = [corner((cy - h / 2 - 16) * 2, 64), corner((cy + h / 2 - 16) * 2, 64)];
  for (const [found, expected] of [
    [box!.x, x1],
    [box!.y, y1],
    [box!.width, x2 - x1],
    [box!.height, y2 - y1],
  ])
    expect(found).toBeCloseTo(expected!, 3);
});

test('end-to-end rows are taken as they are, best first, without suppression', () => {
  const data = new Float32Array(60);
  data.set([24, 28, 40, 36, 0.6, 1], 0);
  data.set([24, 28, 40, 36, 0.7, 1], 6);
  data.set([24, 28, 40, 36, 0.0001, 2], 12);

  expect(round(decoded(bindTask(endToEnd()), { dims: [1, 10, 6], data }))).toEqual([
    [1, 0.7, 48, 24, 32, 16],
    [1, 0.6, 48, 24, 32, 16],
  ]);
});

test('overlapping boxes of one class leave the best; other classes stay', () => {
  const near = [32.5, 32, 16, 8];
  const rows = { 1: [...row, 0.8, 0, 0], 2: [...near, 0.9, 0, 0], 3: [...near, 0, 0.7, 0] };

  const found = round(decoded(bindTask(yolov8()), planeOf(7, 84, rows, 'last')));

  expect(found.map(([cls, score]) => [cls, score])).toEqual([
    [0, 0.9],
    [1, 0.7],
  ]);
});

test('at most 300 boxes of an image are kept, the best', () => {
  const rows = Object.fromEntries(
    Array.from({ length: 84 }, (_, i) => [i, [i, 30, 0.1, 0.1, ...Array(8).fill(0.5 + i / 1000)]]),
  );

  const found = decoded(bindTask(yolov8({ classes: 8 })), planeOf(12, 84, rows, 'last'));

  expect(found).toHaveLength(300);
  expect(Math.min(...found.map((b) => b.score))).toBeCloseTo(0.5 + 46 / 1000, 6);
});

test('scores that are no number make no box', () => {
  const plane = planeOf(7, 84, { 5: [...row, Number.NaN, 0.5, 0] }, 'last');

  expect(decoded(bindTask(yolov8()), plane).map((b) => b.class)).toEqual([1]);
});

test('an output of another width than the head is refused', () => {
  expect(() => decoded(bindTask(yolov8()), planeOf(9, 84, {}, 'last'))).toThrow(
    expect.objectContaining({ code: 'TASK_DOES_NOT_FIT' }),
  );
});

test.each([
  ['YOLOv8', yolov8()],
  ['YOLOv8, joined', yolov8Joined()],
  ['YOLOX', yolox()],
  ['YOLOv5', yolov5()],
  ['end to end', endToEnd()],
])('the whole way, %s: picture, runtime, boxes inside the image', async (_, model) => {
  const binding = bindTask(model);
  const session = await openSession(model);
  const picture = Float32Array.from({ length: 3 * 64 * 64 }, (_, i) => Math.sin(i) ** 2);
  const outputs = toPlanes(await session.run({ x: imageFeed(picture, binding.input!) }));
  await session.release();

  const prediction = TASKS.detect.decode(outputs, binding, geometry);

  const boxes = prediction.kind === 'boxes' ? prediction.boxes : [];
  expect(boxes.length).toBeGreaterThan(0);
  for (const b of boxes) {
    expect(b.x >= 0 && b.y >= 0 && b.x + b.width <= 128.001 && b.y + b.height <= 64.001).toBe(true);
  }
});

const input = { name: 'x', channels: 3, batch: 1, size: [1, 2], note: '' } as const;
const planes = Float32Array.of(1, 2, 3, 4, 5, 300);

test.each([
  ['NCHW', 'float32', 1, [1, 3, 1, 2], [1, 2, 3, 4, 5, 300]],
  ['NHWC', 'float32', 1, [1, 1, 2, 3], [1, 3, 5, 2, 4, 300]],
  ['NCHW', 'float32', 2, [2, 3, 1, 2], [1, 2, 3, 4, 5, 300, 1, 2, 3, 4, 5, 300]],
  ['NCHW', 'uint8', 1, [1, 3, 1, 2], [1, 2, 3, 4, 5, 255]],
  ['NCHW', 'int8', 1, [1, 3, 1, 2], [1, 2, 3, 4, 5, 127]],
  ['NCHW', 'float16', 1, [1, 3, 1, 2], [0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x5cb0]],
] as const)('a picture as %s %s, batch %i', (layout, dtype, batch, dims, data) => {
  const feed = imageFeed(planes, { ...input, layout, dtype, batch });

  expect(feed.dims).toEqual(dims);
  expect(Array.from(feed.data, Number)).toEqual(data);
});

test.each([
  ['float16', Uint16Array.of(0x3c00, 0xc000), [1, -2]],
  ['int64', BigInt64Array.of(3n, -4n), [3, -4]],
  ['bool', Uint8Array.of(1, 0), [1, 0]],
] as const)('outputs of type %s are read as float32', (dtype, data, expected) => {
  expect([...toPlane({ dtype, data, dims: [2] }).data]).toEqual(expected);
});
