/** @file Default int8 on every float detector of the shared data: small, close to the original, within the budget. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import type { JobSpec } from '../../src/contract/job.ts';
import { intOf } from '../../workers/onnx/attributes.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { runJob } from '../../workers/run-job.ts';
import { NO_SHARED_DATA, sharedData } from '../helpers/shared-data.ts';

const shared = sharedData();
if (!shared) test.skip(`quantize: ${NO_SHARED_DATA}`, () => {});
const models = (shared?.models ?? []).filter((m) => m.float && m.task === 'detect');

test.each(models.map((m) => [m.file, m] as const))(
  '%s to int8: 95 % of the Conv MACs, at most 0.010 mAP lost, close to the original',
  async (_, model) => {
    const folder = await mkdtemp(join(tmpdir(), 'lathe-bars-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const dataset = shared!.datasets.find((d) => d.name === model.dataset)!;
    const spec: JobSpec = {
      ...(model.preprocess && { preprocess: model.preprocess }),
      stages: [{ stage: 'quantize' }],
      accept: { maxDrop: 0.01, minAgreement: await leastAgreement(model.path) },
    };

    const { report } = await runJob({
      folder,
      spec,
      model: model.path,
      dataset: dataset.path,
      onEvent: () => {},
      signal: new AbortController().signal,
    });

    const details = report.stages[0]!.details as { convMacs8bit: number; fusedConvs: number };
    console.log(model.file, report.final, details.convMacs8bit, details.fusedConvs);
    expect(report.accept.checks.map((c) => [c.limit, c.passed, c.measured])).toEqual([
      ['maxDrop', true, expect.any(Number)],
      ['minAgreement', true, expect.any(Number)],
    ]);
    expect(details.convMacs8bit).toBeGreaterThanOrEqual(0.95);
    expect(report.final.compression).toBeGreaterThan(2.5);
    expect(report.stages[0]!.peakRssBytes).toBeLessThan(0.8e9);
  },
  600_000,
);

/** Depthwise layers see one channel each, so rounding errors do not average out: such models lose more. */
async function leastAgreement(path: string): Promise<number> {
  const { graph } = readModel(await readFile(path));
  const depthwise = graph.nodes.some(
    (n) => n.op === 'Conv' && intOf(n, 'group', 1) > 1 && n.inputs[1]?.constant?.dims[1] === 1,
  );
  return depthwise ? 0.86 : 0.955;
}
