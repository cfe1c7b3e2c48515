/** @file Stage `distill` in whole jobs of a tiny classifier: teachers of each kind, images without labels, bad input. */

import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import type { JobEvent } from '../../../src/contract/events.ts';
import type { StageSpec } from '../../../src/contract/job.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { runJob } from '../../../workers/run-job.ts';
import { distill } from '../../../workers/stages/distill.ts';
import { prune } from '../../../workers/stages/prune.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { squares } from '../../helpers/squares.ts';
import { colourFolder, tinyModel } from '../job/tiny.ts';

let folder: string;
let data: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lathe-stage-distill-'));
  data = await colourFolder(join(folder, 'colours'), 6);
  model = join(folder, 'model.onnx');
  await writeFile(model, writeModel(tinyModel()));
});

interface Given {
  readonly stages: StageSpec[];
  readonly models?: Record<string, string>;
  readonly data?: string | undefined;
  readonly model?: string;
  readonly onEvent?: (event: JobEvent) => void;
}

async function job(given: Given) {
  const out = await mkdtemp(join(folder, 'out-'));
  const { report } = await runJob({
    folder: out,
    spec: { stages: given.stages },
    model: given.model ?? model,
    models: given.models,
    dataset: 'data' in given ? given.data : data,
    onEvent: given.onEvent ?? (() => {}),
    signal: new AbortController().signal,
  });
  const lines = (await readFile(join(out, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const page = await readFile(join(out, 'report.html'), 'utf8');
  return {
    report,
    page,
    metrics: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

const short = { steps: 2, batch: 4, augment: false };

describe('a job', () => {
  test('is taught by its input: curve, teacher, weights and signals in report, page and metrics', async () => {
    const stages = [{ stage: 'simplify' }, { stage: 'distill', ...short, steps: 8 }];
    const { report, page, metrics } = await job({ stages });

    const { details } = report.stages[1]!;
    expect(details).toMatchObject({
      loss: 'cross-entropy',
      teacher: { model: 'input', tune: expect.any(Number) },
      signals: [{ kind: 'logit-kl', weighting: 'gap', pairs: ['class logits'] }],
      images: { unlabelled: 0 },
    });
    // The student came as its teacher is: nothing is lacking, so nothing is weighed.
    const steps = metrics.filter((m) => m['at'] === 'train');
    expect(steps).toHaveLength(8);
    expect(steps[0]).toMatchObject({ task: expect.any(Number), 'lambda/logit-kl': 0 });
    expect(metrics.find((m) => m['at'] === 'tune')).toHaveProperty('teacher');
    expect(page).toMatch(/Taught by input .* on the tune images/);
    expect(page).toContain('Weights of the signals');
  });

  test('is taught by an earlier stage and by a file, and by each of several signals', async () => {
    const stages = [
      { stage: 'simplify' },
      { stage: 'distill', ...short, teacher: 0, signals: [{ kind: 'output-variance' }] },
      {
        stage: 'distill',
        ...short,
        teacher: 'other',
        weighting: 'constant',
        signals: [
          { kind: 'logit-kl', temperature: 4 },
          { kind: 'logit-kl', weight: 0.5 },
        ],
      },
    ];
    const { report } = await job({ stages, models: { other: model } });

    expect(report.stages[1]!.details['teacher']).toMatchObject({ model: '0' });
    expect(report.stages[2]!.details['signals']).toMatchObject([
      { name: 'logit-kl', weight: 1 },
      { name: 'logit-kl-2', weight: 0.5 },
    ]);
  });

  test('prune is taught between its rounds', async () => {
    const stages = [
      {
        stage: 'prune',
        target: { macs: 0.8 },
        multipleOf: 1,
        images: 4,
        compensate: false,
        distill: short,
      },
    ];
    const { metrics, report } = await job({ stages });

    expect(report.stages[0]!.after.macs).toBeLessThan(report.baseline.macs);
    expect(metrics.some((m) => m['at'] === 'train' && 'lambda/logit-kl' in m)).toBe(true);
  });

  test('images without a label file learn from the teacher alone; the mix is reported', async () => {
    const root = await mkdtemp(join(folder, 'mixed-'));
    const images = await squares(root, 12);
    for (const { file, boxes } of images.slice(0, 9))
      await writeFile(
        file.replace('.png', '.txt'),
        `${boxes!.map((row) => row.join(' ')).join('\n')}\n`,
      );
    await writeFile(join(root, 'data.yaml'), 'train: .\nnames: [red, green, blue]\n');
    const detector = join(root, 'detector.onnx');
    await writeFile(detector, writeModel(yolov8()));
    const messages: string[] = [];

    const { report } = await job({
      stages: [{ stage: 'distill', ...short }],
      data: join(root, 'data.yaml'),
      model: detector,
      onEvent: (event) => event.type === 'log' && messages.push(event.message),
    });

    const { images: mix } = report.stages[0]!.details as { images: Record<string, number> };
    expect(mix['unlabelled']).toBeGreaterThan(0);
    expect(messages.join()).toMatch(/training images have no labels: the teacher alone/);
  });
});

describe('refused before any work', () => {
  test.each([
    ['distill', distill, { steps: 3, epochs: 1 }, ['epochs', 'steps']],
    ['prune, taught', prune, { distill: { minutes: 1, steps: 3 } }, ['steps', 'minutes']],
    ['prune', prune, { finetune: { steps: 1 }, distill: { steps: 1 } }, ['finetune', 'distill']],
  ] as const)('%s: options that conflict', (_, stage, options, named) => {
    expect(() => stage.prepare!(tinyModel(), options as never)).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_CONFLICT',
        facts: expect.objectContaining({ options: named }),
      }),
    );
  });

  test.each([
    ['no images', { data: undefined }, {}, 'DATASET_REQUIRED'],
    ['a teacher that nobody gave', {}, { teacher: 'nowhere' }, 'TEACHER_MISSING'],
    [
      'a teacher whose file is gone',
      { models: { gone: '/nonexistent.onnx' } },
      { teacher: 'gone' },
      'TEACHER_MISSING',
    ],
  ])('%s', async (_, given, options, code) => {
    const stages = [{ stage: 'distill', ...short, ...options }];
    await expect(job({ stages, ...given })).rejects.toMatchObject({ code });
  });
});

describe('during the job', () => {
  test.each([
    ['deleted', (file: string) => rm(file), /its file is gone/],
    [
      'replaced',
      (file: string) => writeFile(file, writeModel({ ...tinyModel(), doc: 'new' })),
      /replaced/,
    ],
  ])('a teacher that is %s is missed by name', async (_, harm, why) => {
    const file = join(folder, 'teacher.onnx');
    await copyFile(model, file);
    let harmed: Promise<unknown> | undefined;
    const run = job({
      stages: [{ stage: 'simplify' }, { stage: 'distill', ...short, ...{ teacher: 'late' } }],
      models: { late: file },
      onEvent: (event) => {
        if (event.type === 'stage') harmed ??= harm(file);
      },
    });

    await expect(run).rejects.toMatchObject({
      code: 'TEACHER_MISSING',
      message: expect.stringMatching(why),
    });
    await harmed;
  });

  test.each([
    ['another task', yolov8(), 'TEACHER_DOES_NOT_FIT'],
    [
      'other classes',
      { ...tinyModel(), metadata: { names: '["a","b","c"]' } },
      'TEACHER_DOES_NOT_FIT',
    ],
  ])('a teacher of %s is refused', async (_, teacher, code) => {
    const file = join(folder, 'unfit.onnx');
    await writeFile(file, writeModel(teacher));
    const stages: StageSpec[] = [{ stage: 'distill', ...short, ...{ teacher: 'unfit' } }];
    await expect(job({ stages, models: { unfit: file } })).rejects.toMatchObject({ code });
  });
});
