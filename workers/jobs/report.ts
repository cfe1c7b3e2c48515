/** @file report.json from everything that was measured. */

import { cpus } from 'node:os';

import type { JobSpec } from '../../src/contract/job.ts';
import type { Measured, Report, StageReport } from '../../src/contract/report.ts';
import { judge } from '../evaluation/acceptance.ts';
import type { TaskBinding } from '../tasks/task.ts';
import type { Job } from './job.ts';
import type { Measuring, Speed } from './measure.ts';
import { LATHE, ONNXRUNTIME } from './versions.ts';

export interface ReportFacts {
  readonly job: Job;
  readonly jobId: string | undefined;
  readonly name: string | undefined;
  readonly command: string;
  readonly baseline: Measured;
  readonly stages: readonly StageReport[];
  /** The last model that was kept, as measured, and its digest. */
  readonly last: Measured;
  readonly output: string;
  readonly speed: Speed | undefined;
  readonly samples: NonNullable<Report['samples']>;
}

export function makeReport(facts: ReportFacts): Report {
  const { job, baseline, stages } = facts;
  const { spec, binding, measuring, source } = job;
  const headline = headlineOf(binding, baseline);
  const { last } = facts;
  const final = finalOf(baseline, last, facts.speed, headline);
  return {
    version: 1,
    ...(facts.jobId && { job: facts.jobId }),
    ...(facts.name && { name: facts.name }),
    task: binding.task,
    headline,
    preprocess: binding.preprocess,
    ...(binding.classes && { classes: [...binding.classes] }),
    dataset: datasetOf(measuring),
    input: source.digest,
    output: facts.output,
    baseline,
    stages: [...stages],
    ...(job.ledger && { ledger: job.ledger.report() }),
    final,
    accept: acceptOf(spec, final, last),
    ...(facts.samples.length > 0 && { samples: facts.samples }),
    warnings: [...(measuring.dataset?.warnings ?? [])],
    spec: { ...spec },
    command: facts.command,
    environment: environmentOf(job),
  };
}

function acceptOf(spec: JobSpec, final: Report['final'], last: Measured): Report['accept'] {
  const limits = spec.accept ?? {};
  const { drop, agreement, speedup, speedupInterval, bytes } = final;
  const latencyMs = last.latencyMs?.median ?? null;
  const interval = speedupInterval && { speedupInterval };
  const measured = { drop, agreement, speedup, ...interval, latencyMs, bytes };
  const { passed, checks } = judge(limits, measured);
  return { limits, passed, checks: [...checks] };
}

/** The task's own metric where the val split has labels for it, else agreement with the input model. */
export function headlineOf({ headline }: TaskBinding, { metrics }: Measured): string {
  return metrics[headline] === undefined ? 'agreement' : headline;
}

function finalOf(
  baseline: Measured,
  last: Measured,
  speed: Speed | undefined,
  headline: string,
): Report['final'] {
  const [before, after] = [baseline.metrics[headline], last.metrics[headline]];
  return {
    metrics: last.metrics,
    drop: before === undefined || after === undefined ? null : before - after,
    agreement: last.metrics['agreement'] ?? null,
    speedup: speed?.speedup ?? null,
    ...(speed && { speedupInterval: speed.interval }),
    compression: baseline.bytes / last.bytes,
    bytes: last.bytes,
    params: last.params,
    macs: last.macs,
  };
}

function datasetOf({ dataset }: Measuring): Report['dataset'] {
  if (!dataset) return null;
  const { train, val, test } = dataset.splits;
  const labelled = [...val, ...train].some((s) => s.boxes !== undefined || s.label !== undefined);
  const images = { train: train.length, val: val.length, test: test.length };
  return { id: dataset.id, images, labelled };
}

function environmentOf({ seed, measuring, startedAt }: Job): Report['environment'] {
  return {
    lathe: LATHE,
    onnxruntime: ONNXRUNTIME,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() || 'unknown',
    executionProvider: measuring.provider,
    latencyThreads: measuring.latencyThreads,
    seed,
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
  };
}
