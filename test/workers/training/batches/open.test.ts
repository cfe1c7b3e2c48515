import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

import type { Preprocess } from '../../../../src/contract/preprocess.ts';
import { type AugmentOptions, augmentOptions } from '../../../../workers/data/augment/options.ts';
import type { Sample } from '../../../../workers/data/dataset.ts';
import { openDataset } from '../../../../workers/data/open.ts';
import { sampleFeed } from '../../../../workers/tasks/feed.ts';
import type { ModelInput } from '../../../../workers/tasks/model-input.ts';
import { DEFAULTS } from '../../../../workers/tasks/preprocess.ts';
import type { TaskBinding } from '../../../../workers/tasks/task.ts';
import type { BatchPlan } from '../../../../workers/training/batches/messages.ts';
import {
  type BatchOptions,
  openBatches,
  type TrainBatch,
} from '../../../../workers/training/batches/open.ts';
import { ThreadedStream } from '../../../../workers/training/batches/stream.ts';
import { plainImage, testFolder, writeTree } from '../../../helpers/image-folder.ts';

const CELLS = join(import.meta.dirname, '../../../../examples/bccd');
const ALL = augmentOptions(true) as AugmentOptions;

function bindingOf(
  task: TaskBinding['task'],
  classes: readonly string[],
  input: Partial<ModelInput> = {},
  preprocess: Preprocess = DEFAULTS.letterbox,
): TaskBinding {
  const size = input.size ?? [96, 128];
  const whole = {
    name: 'images',
    dtype: 'float32',
    layout: 'NCHW',
    channels: 3,
    batch: 1,
  } as const;
  return {
    ...{ task, description: task, classes, headline: 'map50_95', preprocess, inputSize: size },
    ...{ input: { ...whole, note: '', size, ...input }, head: undefined, notes: [] },
  };
}

const detector = bindingOf('detect', ['WBC', 'RBC', 'Platelets']);
const { splits } = await openDataset(CELLS);
const cells = async (count: number) => splits.train.slice(0, count);

async function open(options: Partial<BatchOptions> & Pick<BatchOptions, 'samples'>) {
  const rest = { binding: detector, batch: 4, seed: 7, augment: ALL, totalSteps: 40 };
  const signal = new AbortController().signal;
  const stream = await openBatches({ ...rest, signal, ...options });
  onTestFinished(() => stream.close());
  return stream;
}

/** Digests: the memory of a batch is used again. */
async function digests(stream: { next(): Promise<TrainBatch> }, count: number): Promise<string[]> {
  const all: string[] = [];
  for (let i = 0; i < count; i++) {
    const { images, dims, labels, ids } = await stream.next();
    const hash = createHash('sha256')
      .update(images)
      .update(JSON.stringify([dims, ids]));
    if (labels.kind === 'boxes') hash.update(labels.boxes).update(labels.classes);
    if (labels.kind === 'classes') hash.update(labels.targets);
    all.push(hash.digest('hex'));
  }
  return all;
}

test.each([
  ['one thread more', { threads: 2 }],
  ['two threads more', { threads: 3 }],
  ['one batch ahead', { ahead: 1 }],
  ['many batches ahead', { ahead: 9, threads: 2 }],
])('%s: the same batches to the bit', async (_, options) => {
  const samples = await cells(10);
  const [one, other] = [await open({ samples }), await open({ samples, ...options })];

  expect(await digests(other, 7)).toEqual(await digests(one, 7));
});

test('a run that goes on at a step sees what the whole run saw', async () => {
  const samples = await cells(10);
  const whole = await digests(await open({ samples }), 8);
  const rest = await digests(await open({ samples, start: 5 }), 3);

  expect(new Set(whole).size).toBe(8);
  expect(rest).toEqual(whole.slice(5));
});

test('another seed, other batches', async () => {
  const samples = await cells(10);
  const made = async (seed: number) => digests(await open({ samples, seed }), 2);

  expect(await made(1)).not.toEqual(await made(2));
});

test('every epoch shows every image once, its last batch filled up', async () => {
  const samples = await cells(10);
  const stream = await open({ samples });
  const ids: string[] = [];
  for (let i = 0; i < 2 * stream.stepsPerEpoch; i++) ids.push(...(await stream.next()).ids);

  expect(stream.stepsPerEpoch).toBe(3);
  for (const epoch of [ids.slice(0, 10), ids.slice(12, 22)])
    expect(new Set(epoch)).toEqual(new Set(samples.map((s) => s.name)));
  expect(ids.slice(10, 12)).toEqual(ids.slice(12, 14));
});

test.each<[string, AugmentOptions | false]>([
  ['false', false],
  ['of nothing', { ...ALL, ...ZEROS() }],
])('augment %s: the very numbers that inference sees, boxes on them', async (_, augment) => {
  const samples = await cells(4);
  const stream = await open({ samples, augment });
  const { images, dims, labels, ids } = await stream.next();
  const each = images.length / 4;

  expect(dims).toEqual([4, 3, 96, 128]);
  for (const [i, id] of ids.entries()) {
    const sample = samples.find((s) => s.name === id)!;
    const { feeds } = await sampleFeed(sample, detector);
    expect(images.subarray(i * each, (i + 1) * each)).toEqual(feeds['images']!.data);
    if (labels.kind !== 'boxes') throw new Error(labels.kind);
    const mine = [...labels.classes.subarray(i * labels.most, (i + 1) * labels.most)];
    const first = labels.boxes.subarray(i * labels.most * 4, i * labels.most * 4 + 4);
    const [cls, cx, cy, w, h] = sample.boxes![0]!;
    expect(mine.filter((c) => c >= 0n)).toHaveLength(sample.boxes!.length);
    expect(mine[0]).toBe(BigInt(cls));
    const expected = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2];
    for (const [k, v] of expected.entries()) expect(first[k]).toBeCloseTo(v * [128, 96][k % 2]!, 3);
  }
});

function ZEROS(): Partial<AugmentOptions> {
  const off = Object.keys(ALL).map((name) => [name, 0]);
  return Object.fromEntries(off) as Partial<AugmentOptions>;
}

test('mosaic ends with the last share of the run', async () => {
  const samples = await cells(6);
  const augment = { ...ALL, ...ZEROS(), mosaic: 1, closeMosaic: 0.5 };
  const joined = await open({ samples, augment, totalSteps: 6 });
  const plain = await open({ samples, augment: { ...augment, mosaic: 0 }, totalSteps: 6 });
  const [a, b] = [await digests(joined, 6), await digests(plain, 6)];

  expect(a.map((digest, i) => digest === b[i])).toEqual([false, false, false, true, true, true]);
});

test('one image fills batches, and its mosaics', async () => {
  const samples = await cells(1);
  const stream = await open({ samples, batch: 3 });
  const { ids, labels } = await stream.next();

  expect(stream.stepsPerEpoch).toBe(1);
  expect(ids).toEqual(Array(3).fill(samples[0]!.name));
  expect(labels.kind === 'boxes' && labels.classes.some((c) => c >= 0n)).toBe(true);
  expect(await digests(stream, 2)).toHaveLength(2);
});

test('background alone: one place for boxes, empty', async () => {
  const samples = (await cells(3)).map((s) => ({ ...s, boxes: [] }));
  const { labels } = await (await open({ samples })).next();

  expect(labels).toEqual({
    kind: 'boxes',
    boxes: new Float32Array(16),
    classes: new BigInt64Array(4).fill(-1n),
    most: 1,
  });
});

test('boxes lie in the input, and short lists are filled with −1', async () => {
  const stream = await open({ samples: await cells(10), batch: 8 });
  for (let step = 0; step < 4; step++) {
    const { labels } = await stream.next();
    if (labels.kind !== 'boxes') throw new Error(labels.kind);
    const { boxes, classes, most } = labels;
    expect([boxes.length, classes.length]).toEqual([8 * most * 4, 8 * most]);
    const counts = Array.from({ length: 8 }, (_, i) => {
      const mine = [...classes.subarray(i * most, (i + 1) * most)];
      expect(mine.findLastIndex((c) => c >= 0n) + 1).toBe(mine.filter((c) => c >= 0n).length);
      return mine.filter((c) => c >= 0n).length;
    });
    expect(Math.max(...counts)).toBe(most);
    for (let k = 0; k < classes.length; k++) {
      const [x1, y1, x2, y2] = boxes.subarray(4 * k, 4 * k + 4) as unknown as number[];
      const inside = x1! >= 0 && y1! >= 0 && x2! <= 128 && y2! <= 96;
      expect(inside && x2! - x1! >= (classes[k]! < 0n ? 0 : 1.99) && y2! >= y1!).toBe(true);
    }
  }
});

/** Class folders: three shades, two images each. */
async function shades(): Promise<readonly Sample[]> {
  const folder = await testFolder();
  const images = await Promise.all(
    [40, 120, 200].flatMap((v, c) =>
      ['a', 'b'].map(
        async (n) =>
          [`train/${c}/${n}.png`, await plainImage('png', [40, 30], { r: v, g: v, b: v })] as const,
      ),
    ),
  );
  await writeTree(folder, Object.fromEntries(images));
  return (await openDataset(folder)).splits.train;
}

const COLOURLESS = { ...ALL, hue: 0, saturation: 0, value: 0 };

test.each(['letterbox', 'stretch', 'center-crop'] as const)(
  'classes (%s): each picture shows its own class alone, its target says so',
  async (resize) => {
    const binding = bindingOf(
      'classify',
      ['0', '1', '2'],
      { size: [32, 32] },
      { ...DEFAULTS.letterbox, resize },
    );
    const { images, labels } = await (
      await open({ samples: await shades(), binding, batch: 6, augment: COLOURLESS })
    ).next();
    if (labels.kind !== 'classes') throw new Error(labels.kind);
    const told = Array.from({ length: 6 }, (_, i) => [
      ...labels.targets.subarray(3 * i, 3 * i + 3),
    ]);
    const seen = Array.from({ length: 6 }, (_, i) => {
      const values = new Set(images.subarray(i * 3072, (i + 1) * 3072));
      expect(values.size).toBe(1);
      return [40, 120, 200].map((v) => (Math.abs([...values][0]! - v / 255) < 1e-6 ? 1 : 0));
    });

    expect(told).toEqual(seen);
    expect(told.toSorted()).toEqual([
      [0, 0, 1],
      [0, 0, 1],
      [0, 1, 0],
      [0, 1, 0],
      [1, 0, 0],
      [1, 0, 0],
    ]);
  },
);

test('MixUp: pictures and targets in the same shares, which sum to 1', async () => {
  const binding = bindingOf('classify', ['0', '1', '2'], { size: [32, 32] });
  const augment = { ...COLOURLESS, mixup: 1 };
  const stream = await open({ samples: await shades(), binding, batch: 6, augment });
  let mixed = 0;
  for (let step = 0; step < 5; step++) {
    const { images, labels } = await stream.next();
    if (labels.kind !== 'classes') throw new Error(labels.kind);
    for (let i = 0; i < 6; i++) {
      const target = [...labels.targets.subarray(3 * i, 3 * i + 3)];
      expect(target.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      const shade = target.reduce((sum, share, c) => sum + share * [40, 120, 200][c]!, 0);
      expect(Math.abs(images[i * 3072]! * 255 - shade)).toBeLessThan(0.51);
      if (Math.max(...target) < 0.99) mixed++;
    }
  }
  expect(mixed).toBeGreaterThan(5);
});

test.each([
  ['NHWC', 3, [2, 32, 48, 3]],
  ['NCHW', 1, [2, 1, 32, 48]],
] as const)('inputs of layout %s with %i channels', async (layout, channels, dims) => {
  const binding = bindingOf('detect', ['a', 'b', 'c'], { layout, channels, size: [32, 48] });
  const samples = await cells(2);
  const batch = await (await open({ samples, binding, batch: 2, augment: false })).next();
  const { feeds } = await sampleFeed(samples.find((s) => s.name === batch.ids[0])!, binding);

  expect(batch.dims).toEqual(dims);
  expect(batch.images.subarray(0, 32 * 48 * channels)).toEqual(feeds['images']!.data);
});

test.each([
  ['detect', 'no labels', {}],
  ['generic', 'boxes that it cannot use', { boxes: [[0, 0.5, 0.5, 0.2, 0.2]] }],
  ['classify', 'no class', { boxes: [[0, 0.5, 0.5, 0.2, 0.2]] }],
] as const)('%s, samples with %s: no labels', async (task, _, more) => {
  const samples = (await cells(2)).map(({ name, file }) => ({ name, file, ...more }) as Sample);
  const stream = await open({ samples, binding: bindingOf(task, ['a']) });

  expect((await stream.next()).labels).toEqual({ kind: 'none' });
});

test('an image that cannot be read fails by name, at its step and ever after', async () => {
  const samples = [...(await cells(3)), { name: 'gone.jpg', file: '/nowhere/gone.jpg', boxes: [] }];
  const stream = await open({ samples, augment: false });
  const expected = { code: 'IMAGE_UNREADABLE', message: expect.stringContaining("'gone.jpg'") };

  await expect(stream.next()).rejects.toMatchObject(expected);
  await expect(stream.next()).rejects.toMatchObject(expected);
});

test.each([
  ['no samples', 'SPLIT_MISSING', [], detector],
  [
    'a model without image input',
    'TASK_DOES_NOT_FIT',
    undefined,
    { ...detector, input: undefined },
  ],
  ['a class too many', 'CLASSES_DIFFER', undefined, bindingOf('detect', ['WBC'])],
])('%s: %s', async (_, code, samples, binding) => {
  const all = samples ?? (await cells(6));
  await expect(open({ samples: all, binding })).rejects.toMatchObject({ code });
});

test('cancelling ends a wait with the reason given', async () => {
  const { signal, ...controller } = cancel();
  const stream = await open({ samples: await cells(20), batch: 64, signal });
  const waiting = stream.next();
  controller.abort(new Error('enough'));

  await expect(waiting).rejects.toThrow('enough');
  await expect(stream.next()).rejects.toThrow('enough');
  await expect(open({ samples: await cells(2), signal })).rejects.toThrow('enough');
});

function cancel() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (why: Error) => controller.abort(why) };
}

const threadsAlive = () =>
  process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;

test.each(['close', 'abort'])('%s ends every thread', async (how) => {
  const before = threadsAlive();
  const { signal, abort } = cancel();
  const stream = await open({ samples: await cells(20), batch: 32, threads: 3, signal });
  expect(threadsAlive()).toBeGreaterThan(before);
  if (how === 'close') await stream.close();
  else abort(new Error('enough'));
  while (threadsAlive() > before) await sleep(10);
  if (how === 'close')
    await expect(stream.next()).rejects.toMatchObject({ code: 'DATA_THREAD_DIED' });
});

test('a thread that dies fails the batch that waits for it', async () => {
  const options = { threads: 1, ahead: 2, start: 0, signal: new AbortController().signal };
  const stream = new ThreadedStream({} as BatchPlan, options);
  onTestFinished(() => stream.close());

  await expect(stream.next()).rejects.toMatchObject({ code: 'DATA_THREAD_DIED' });
});

test('time spent waiting is counted, and no other', async () => {
  const stream = await open({ samples: await cells(8) });
  const timed = async () => {
    const begun = performance.now();
    const before = stream.waitedSeconds;
    await stream.next();
    return [stream.waitedSeconds - before, (performance.now() - begun) / 1000] as const;
  };
  const [first, all] = await timed();
  await sleep(300);
  const [second, most] = await timed();

  expect(first).toBeGreaterThan(0.5 * all);
  expect(first).toBeLessThanOrEqual(all);
  expect(second).toBeLessThanOrEqual(most);
});
