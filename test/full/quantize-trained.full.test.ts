/** @file Methods hybrid and qat on a real detector: the budget holds, and training wins back what 7-bit weights lose. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import type { JobSpec } from '../../src/contract/job.ts';
import type { MethodStep } from '../../workers/quantization/qat/ladder.ts';
import { runJob } from '../../workers/run-job.ts';
import { NO_SHARED_DATA, sharedData } from '../helpers/shared-data.ts';

const shared = sharedData();
if (!shared) test.skip(`quantize, trained: ${NO_SHARED_DATA}`, () => {});
const models = (shared?.models ?? []).filter((m) => /yolov8n_320.*recovered/.test(m.file));

async function job(
  path: string,
  data: string,
  options: Readonly<Record<string, unknown>>,
  least: number,
) {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-trained-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const spec: JobSpec = {
    stages: [{ stage: 'quantize', ...options }],
    accept: { minAgreement: least },
  };
  const { report } = await runJob({
    folder,
    spec,
    model: path,
    dataset: data,
    onEvent: () => {},
    signal: new AbortController().signal,
  });
  const details = report.stages[0]!.details as {
    steps: MethodStep<string>[];
    why: string;
    convs: number;
    fusedConvs: number;
  };
  console.log(options, report.final.metrics, details.steps, details.why);
  return { report, details };
}

test.each(models.map((m) => [m.file, m] as const))(
  '%s: hybrid holds 0.98 in less than an hour',
  async (_, { path, dataset }) => {
    const data = shared!.datasets.find((d) => d.name === dataset)!;
    const { report } = await job(path, data.path, { method: 'hybrid' }, 0.98);
    expect(report.accept.passed).toBe(true);
    expect(report.stages[0]!.seconds).toBeLessThan(3600);
  },
  3_700_000,
);

test.each(models.map((m) => [m.file, m] as const))(
  '%s: training through the roundings of 7-bit weights',
  async (_, { path, dataset }) => {
    const data = shared!.datasets.find((d) => d.name === dataset)!;
    const options = { method: 'qat', reduceRange: true, qat: { steps: 150 } };
    const { details } = await job(path, data.path, options, 0.9);
    const [ptq, qat] = details.steps as [MethodStep<string>, MethodStep<string>];
    expect(qat.agreement).toBeGreaterThan(ptq.agreement);
  },
  3_700_000,
);
