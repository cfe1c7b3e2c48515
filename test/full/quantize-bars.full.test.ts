/** @file Every precision on every float detector of the shared data: small, close to the original, within the budget and the memory. */

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

interface Way {
  readonly options: Readonly<Record<string, string>>;
  /** Least agreement, of models for images of up to 320 pixels and of larger ones. */
  readonly agreement: readonly [small: number, large: number];
  /** The same where depth-wise layers see one channel each, so that rounding errors do not average out. */
  readonly depthwise: number;
  /** Largest share of the float file's bytes. */
  readonly bytes: number;
}

const GENERIC = { profile: 'generic' };

const WAYS: readonly Way[] = [
  { options: {}, agreement: [0.975, 0.968], depthwise: 0.86, bytes: 0.3 },
  { options: { profile: 'openvino' }, agreement: [0.985, 0.976], depthwise: 0.9, bytes: 0.3 },
  { options: GENERIC, agreement: [0.985, 0.976], depthwise: 0.9, bytes: 0.3 },
  {
    options: { ...GENERIC, precision: 'int16' },
    agreement: [0.993, 0.988],
    depthwise: 0.97,
    bytes: 0.3,
  },
  {
    options: { ...GENERIC, precision: 'int16', rounding: 'adaround' },
    agreement: [0.995, 0.992],
    depthwise: 0.98,
    bytes: 0.3,
  },
  {
    options: { ...GENERIC, precision: 'int16-full' },
    agreement: [0.998, 0.998],
    depthwise: 0.998,
    bytes: 0.55,
  },
];

const cases = WAYS.flatMap((way) =>
  models.map((m) => [m.file, JSON.stringify(way.options), m, way] as const),
);

test.each(cases)(
  '%s %s: small, close to the original',
  async (_, __, model, way) => {
    const folder = await mkdtemp(join(tmpdir(), 'lathe-bars-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const dataset = shared!.datasets.find((d) => d.name === model.dataset)!;
    const minAgreement = (await isDepthwise(model.path))
      ? way.depthwise
      : way.agreement[model.size > 320 ? 1 : 0];
    const spec: JobSpec = {
      ...(model.preprocess && { preprocess: model.preprocess }),
      stages: [{ stage: 'quantize', ...way.options }],
      accept: { maxDrop: 0.01, minAgreement },
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
    console.log(model.file, way.options, report.final, details.convMacs8bit, details.fusedConvs);
    expect(report.accept.checks.map((c) => [c.limit, c.passed, c.measured])).toEqual([
      ['maxDrop', true, expect.any(Number)],
      ['minAgreement', true, expect.any(Number)],
    ]);
    expect(details.convMacs8bit).toBeGreaterThanOrEqual(0.95);
    expect(report.final.bytes / report.baseline.bytes).toBeLessThan(way.bytes);
    expect(report.stages[0]!.peakRssBytes).toBeLessThan(0.8e9);
  },
  1_800_000,
);

async function isDepthwise(path: string): Promise<boolean> {
  const { graph } = readModel(await readFile(path));
  return graph.nodes.some(
    (n) => n.op === 'Conv' && intOf(n, 'group', 1) > 1 && n.inputs[1]?.constant?.dims[1] === 1,
  );
}
