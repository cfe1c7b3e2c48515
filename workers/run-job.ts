/** @file One job, from a model to a smaller one and a report: the page to read first. */

import type { Measured, Report, StageReport } from '../src/contract/report.ts';
import { failureOf } from './jobs/failure.ts';
import { type Job, prepareJob, type RunJobInput } from './jobs/job.ts';
import { TRYING } from './jobs/job-file.ts';
import { jobFiles } from './jobs/job-files.ts';
import {
  type Evaluations,
  evaluateSplits,
  measured,
  measureSpeed,
  type Speed,
} from './jobs/measure.ts';
import { writeWhole } from './jobs/model-file.ts';
import type { PlannedStage } from './jobs/plan.ts';
import { makeReport } from './jobs/report.ts';
import { runStage } from './jobs/run-stage.ts';
import { type Judged, sampleImages } from './jobs/samples.ts';
import { tryModel } from './jobs/trial.ts';
import { repeatCommand } from './report/command.ts';
import { renderHtml } from './report/html.ts';

export type { RunJobInput };

export interface JobResult {
  readonly report: Report;
  readonly outcome: 'pass' | 'rejected';
}

/**
 * Measure the model as it came; then for each stage: run it, check what it made, measure that, keep it; at the end
 * judge the last model by the acceptance limits and write the report.
 *
 * Whatever goes wrong is told as a `failed` event and then thrown. Cancellation throws the signal's reason and tells
 * nothing. Files: `model.onnx report.json report.html metrics.jsonl stages/NN-<stage>.onnx` in `folder`.
 */
export async function runJob(input: RunJobInput): Promise<JobResult> {
  const at: { stage: string | null } = { stage: null };
  try {
    const job = await prepareJob(input);
    const baseline = await measureBaseline(job);
    const stages = await runStages(job, baseline.evaluations, at);
    const report = await writeReport(job, input, baseline.measured, stages);
    const outcome = report.accept.passed ? 'pass' : 'rejected';
    job.emit({ type: 'done', outcome });
    return { report, outcome };
  } catch (error) {
    if (!input.signal.aborted) input.onEvent(failureOf(error, at.stage));
    throw error;
  }
}

interface Baseline {
  readonly evaluations: Evaluations;
  readonly measured: Measured;
}

async function measureBaseline(job: Job): Promise<Baseline> {
  const { source, binding, measuring, emit } = job;
  emit({ type: 'log', level: 'info', message: `Read as ${binding.task}: ${binding.description}.` });
  for (const message of measuring.dataset?.warnings ?? [])
    emit({ type: 'log', level: 'warn', message });
  const tell = job.progress.next(TRYING);
  await tryModel(source, binding, measuring);
  tell(0.01, 'evaluating the input model');
  const evaluations = await evaluateSplits(source, binding, measuring, tell);
  const figures = await measured(source, binding, evaluations);
  job.metric({ at: 'baseline', ...figures.metrics, bytes: figures.bytes });
  return { evaluations, measured: figures };
}

/** What the stages came to. Without any: the input model itself. */
interface Stages {
  readonly reports: readonly StageReport[];
  readonly last: Judged;
  readonly speed: Speed | undefined;
}

async function runStages(
  job: Job,
  reference: Evaluations,
  at: { stage: string | null },
): Promise<Stages> {
  const reports: StageReport[] = [];
  let last: Judged = { file: job.source, binding: job.binding };
  let speed: Speed | undefined;
  for (const planned of job.plan) {
    job.measuring.signal.throwIfAborted();
    at.stage = planned.stage.name;
    const { report, ...made } = await runStage(planned, last.file, job, reference);
    const tell = job.progress.next('measuring latency');
    const { inputSize } = job.binding;
    speed = await measureSpeed(job.source, made.file, inputSize, job.measuring, tell);
    const timed = withSpeed(report, speed);
    reports.push(timed);
    tellFinished(job, planned, timed);
    last = made;
  }
  at.stage = null;
  return { reports, last, speed };
}

function tellFinished(job: Job, { index, stage }: PlannedStage, report: StageReport): void {
  const { input, output, resumed, after, seconds, peakRssBytes } = report;
  job.metric({
    at: `stage ${index + 1}`,
    stage: stage.name,
    ...after.metrics,
    bytes: after.bytes,
    params: after.params,
    macs: after.macs,
    latencyMs: after.latencyMs?.median ?? null,
    speedup: after.speedup,
    seconds,
    peakRssBytes,
  });
  job.emit({
    type: 'stage',
    index,
    stage: stage.name,
    status: 'finished',
    resumed,
    input,
    output,
    report,
  });
}

function withSpeed(report: StageReport, { own, speedup, interval }: Speed): StageReport {
  const after = { ...report.after, latencyMs: own, speedup, speedupInterval: interval };
  return { ...report, after };
}

/** The input's latency is the one of the last pairing, so that it can be compared with the final model's. */
async function writeReport(
  job: Job,
  input: RunJobInput,
  baseline: Measured,
  { reports, last, speed }: Stages,
): Promise<Report> {
  const tell = job.progress.next('writing the report');
  const before = { file: job.source, binding: job.binding };
  const report = makeReport({
    job,
    jobId: input.jobId,
    name: input.name,
    command: input.command ?? repeatCommand(job.spec),
    baseline: { ...baseline, latencyMs: speed?.baseline ?? null },
    stages: reports,
    output: last.file.digest,
    speed,
    samples: await sampleImages(before, last, job.measuring),
  });
  const files = jobFiles(job.folder);
  await writeWhole(files.model, last.file.bytes);
  await writeWhole(files.report, `${JSON.stringify(report, null, 2)}\n`);
  await writeWhole(files.html, renderHtml(report));
  tell(1);
  return report;
}
