import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';
import type { JobEvent } from '../../../src/contract/events.ts';
import type { JobSpec } from '../../../src/contract/job.ts';
import { digestOf } from '../../../workers/data/load-model.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { type JobResult, runJob } from '../../../workers/run-job.ts';
import { testFolder } from '../../helpers/image-folder.ts';
import { colourFolder, tinyBytes } from './tiny.ts';

const QUANTIZE = { stages: [{ stage: 'quantize' }] } satisfies JobSpec;

interface Run extends JobResult {
  readonly events: readonly JobEvent[];
}

async function inputs(): Promise<{ folder: string; model: string; dataset: string }> {
  const root = await testFolder();
  const model = join(root, 'colours.onnx');
  await writeFile(model, tinyBytes());
  return { folder: join(root, 'out'), model, dataset: await colourFolder(join(root, 'data')) };
}

async function run(
  given: { folder: string; model: string; dataset?: string },
  spec: JobSpec,
): Promise<Run> {
  const events: JobEvent[] = [];
  const { signal } = new AbortController();
  const onEvent = (event: JobEvent) => void events.push(event);
  return { ...(await runJob({ ...given, spec, onEvent, signal, name: 'colours.onnx' })), events };
}

const of = <T extends JobEvent['type']>(events: readonly JobEvent[], type: T) =>
  events.filter((e): e is Extract<JobEvent, { type: T }> => e.type === type);

test('measures, quantizes, judges and reports', async () => {
  const given = await inputs();

  const { report, outcome, events } = await run(given, {
    ...QUANTIZE,
    accept: { maxDrop: 0.5, maxBytes: 1_000_000 },
  });

  const output = await readFile(join(given.folder, 'model.onnx'));
  expect(outcome).toBe('pass');
  expect(report).toMatchObject({
    task: 'classify',
    headline: 'top1',
    name: 'colours.onnx',
    input: digestOf(tinyBytes()),
    output: digestOf(output),
    baseline: { metrics: { top1: 1, agreement: 1 }, bytes: tinyBytes().length },
    stages: [{ stage: 'quantize', resumed: false, output: digestOf(output) }],
    final: { bytes: output.length },
  });
  expect(report.accept.checks.map((c) => c.limit)).toEqual(['maxDrop', 'maxBytes']);
  expect(report.stages[0]!.peakRssBytes).toBeGreaterThan(30e6);
  expect(report.stages[0]!.after.speedup).toBeGreaterThan(0);
  expect(report.samples).toHaveLength(6);
  expect(await readdir(given.folder)).toEqual([
    'metrics.jsonl',
    'model.onnx',
    'report.html',
    'report.json',
    'stages',
  ]);
  expect(await readFile(join(given.folder, 'stages/01-quantize.onnx'))).toEqual(output);
  expect(JSON.parse(await readFile(join(given.folder, 'report.json'), 'utf8'))).toEqual(report);
  expect(events.at(-1)).toEqual({ type: 'done', outcome: 'pass' });
});

test('progress never falls and ends at 1; every stage is told at its start and end', async () => {
  const { events } = await run(await inputs(), QUANTIZE);

  const shares = of(events, 'progress').map((e) => e.progress);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  expect(shares.at(-1)).toBe(1);
  expect(of(events, 'stage').map((e) => [e.index, e.status])).toEqual([
    [0, 'running'],
    [0, 'finished'],
  ]);
});

test('the output keeps the metadata of the input and says how it was made', async () => {
  const given = await inputs();

  await run(given, QUANTIZE);

  const { metadata } = readModel(await readFile(join(given.folder, 'model.onnx')));
  expect(metadata).toMatchObject({ made: 'for tests', 'lathe.input': digestOf(tinyBytes()) });
  expect(JSON.parse(metadata['lathe.preprocess']!)).toMatchObject({ channels: 'rgb' });
  expect(JSON.parse(metadata['lathe.stages']!)).toMatchObject([{ stage: 'quantize' }]);
});

test('the same job gives the same bytes', async () => {
  const [a, b] = [await run(await inputs(), QUANTIZE), await run(await inputs(), QUANTIZE)];

  expect(a.report.output).toBe(b.report.output);
});

test('a second run in the same folder skips the finished stage and measures latency anew', async () => {
  const given = await inputs();
  const first = await run(given, QUANTIZE);

  const second = await run(given, QUANTIZE);

  expect(of(second.events, 'stage')).toEqual([
    expect.objectContaining({ status: 'finished', resumed: true }),
  ]);
  expect(second.report.output).toBe(first.report.output);
  expect(second.report.stages[0]!.after.latencyMs).not.toEqual(
    first.report.stages[0]!.after.latencyMs,
  );
});

const STALE = {
  'other options': (spec: JobSpec) => ({ ...spec, stages: [{ stage: 'quantize', images: 3 }] }),
  'another seed': (spec: JobSpec) => ({ ...spec, seed: 7 }),
  'another preprocess': (spec: JobSpec) => ({ ...spec, preprocess: { channels: 'bgr' as const } }),
};

test.each(Object.entries(STALE))('%s: the stage runs again', async (_, change) => {
  const given = await inputs();
  await run(given, QUANTIZE);

  const { events } = await run(given, change(QUANTIZE));

  expect(of(events, 'stage').at(-1)).toMatchObject({ resumed: false });
});

test('a damaged checkpoint is not trusted', async () => {
  const given = await inputs();
  await run(given, QUANTIZE);
  await writeFile(join(given.folder, 'stages/01-quantize.onnx'), 'half a fi');

  const { events } = await run(given, QUANTIZE);

  expect(of(events, 'stage').at(-1)).toMatchObject({ resumed: false });
});

test('a result that misses a limit is rejected, keeps its files and names the check', async () => {
  const given = await inputs();

  const { report, outcome } = await run(given, { ...QUANTIZE, accept: { maxBytes: 10 } });

  expect(outcome).toBe('rejected');
  expect(report.accept).toMatchObject({
    passed: false,
    checks: [{ limit: 'maxBytes', allowed: 10, passed: false }],
  });
  expect(existsSync(join(given.folder, 'model.onnx'))).toBe(true);
});

test('images without labels: judged by agreement with the input model', async () => {
  const given = await inputs();
  await rm(join(given.dataset, 'val'), { recursive: true });
  const images = join(given.dataset, 'train', 'red');

  const { report } = await run(
    { ...given, dataset: images },
    {
      ...QUANTIZE,
      accept: { maxDrop: 0.5, minAgreement: 0.5 },
    },
  );

  expect(report.headline).toBe('agreement');
  expect(report.final.drop).toBeCloseTo(1 - report.final.agreement!, 12);
  expect(report.accept.passed).toBe(true);
});

const REFUSED = {
  'a stage that does not exist': [{ stages: [{ stage: 'quantise' }] }, 'SPEC_INVALID'],
  'an option that does not exist': [{ stages: [{ stage: 'quantize', colour: 1 }] }, 'SPEC_INVALID'],
  'a model without a detect head under task detect': [
    { ...QUANTIZE, task: 'detect' },
    'TASK_DOES_NOT_FIT',
  ],
} as const satisfies Record<string, readonly [unknown, string]>;

test.each(Object.entries(REFUSED))('%s is refused before any work', async (_, [spec, code]) => {
  const given = await inputs();
  const events: JobEvent[] = [];
  const { signal } = new AbortController();

  const running = runJob({
    ...given,
    spec: spec as unknown as JobSpec,
    signal,
    onEvent: (e) => void events.push(e),
  });

  await expect(running).rejects.toMatchObject({ code });
  expect(events).toEqual([expect.objectContaining({ type: 'failed', code, stage: null })]);
});

test('a stage that needs images is refused without a data set', async () => {
  const { folder, model } = await inputs();

  await expect(run({ folder, model }, QUANTIZE)).rejects.toMatchObject({
    code: 'DATASET_REQUIRED',
  });
});

test('labels for another number of classes are refused', async () => {
  const given = await inputs();
  await rm(join(given.dataset, 'train', 'red'), { recursive: true });
  await rm(join(given.dataset, 'val', 'red'), { recursive: true });

  await expect(run(given, QUANTIZE)).rejects.toMatchObject({ code: 'CLASSES_DIFFER' });
});

test('an aborted run stops within a second and tells nothing of failure', async () => {
  const given = await inputs();
  const stop = new AbortController();
  const events: JobEvent[] = [];
  const onEvent = (event: JobEvent) => {
    events.push(event);
    if (event.type === 'stage') stop.abort(new Error('enough'));
  };

  const started = performance.now();
  await expect(runJob({ ...given, spec: QUANTIZE, onEvent, signal: stop.signal })).rejects.toThrow(
    'enough',
  );

  expect(performance.now() - started).toBeLessThan(5000);
  expect(of(events, 'failed')).toEqual([]);
  expect(of(events, 'done')).toEqual([]);
});
