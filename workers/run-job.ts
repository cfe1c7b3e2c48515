/** @file One job, from a model to a smaller one and a report: the page to read first. */

import type { Measured, Report, StageReport } from '../src/contract/report.ts';
import { failureOf } from './jobs/failure.ts';
import { type Job, prepareJob, type RunJobInput } from './jobs/job.ts';
import { TRYING } from './jobs/job-file.ts';
import { jobFiles } from './jobs/job-files.ts';
import { INPUT, Ledger } from './jobs/ledger.ts';
import {
  type Evaluations,
  evaluateSplits,
  measured,
  measureSpeed,
  type Speed,
} from './jobs/measure.ts';
import { writeWhole } from './jobs/model-file.ts';
import type { PlannedStage } from './jobs/plan.ts';
import type { Tell } from './jobs/progress.ts';
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
    const stages = await runStages(await withLedger(job), baseline, at);
    const report = await writeReport(stages.job, input, baseline.measured, stages);
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

async function withLedger(job: Job): Promise<Job> {
  const { plan, spec, source: file, binding, measuring, seed } = job;
  const input = { file, binding };
  const ledger = await Ledger.open(plan, spec.accept?.maxDrop, input, measuring, seed);
  return { ...job, ledger };
}

/** A model on the way, with everything that was measured of it. */
interface Step {
  readonly judged: Judged;
  readonly after: Measured;
  readonly speed: Speed | undefined;
}

/** What the stages came to. Without any: the input model itself. */
interface Stages extends Step {
  readonly job: Job;
  readonly reports: readonly StageReport[];
}

async function runStages(
  job: Job,
  baseline: Baseline,
  at: { stage: string | null },
): Promise<Stages> {
  const reports: StageReport[] = [];
  const steps: Step[] = [];
  const input = { file: job.source, binding: job.binding };
  const start: Step = { judged: input, after: baseline.measured, speed: undefined };
  let last = start;
  for (const planned of job.plan) {
    job.measuring.signal.throwIfAborted();
    at.stage = planned.stage.name;
    const { file } = last.judged;
    const { report, ...made } = await runStage(planned, file, job, baseline.evaluations);
    const tell = job.progress.next('measuring latency');
    const { inputSize } = job.binding;
    const speed = await measureSpeed(job.source, made.file, inputSize, job.measuring, tell);
    const timed = withSpeed(report, speed);
    reports.push(timed);
    tellFinished(job, planned, timed);
    steps.push({ judged: made, after: timed.after, speed });
    last = steps[await keptOf(planned, made, job, tell)] ?? start;
  }
  at.stage = null;
  return { ...last, job, reports };
}

/** The index of the stage whose model goes on: this one's, or an earlier one's, or INPUT, where this one spent too much. */
async function keptOf(planned: PlannedStage, made: Judged, job: Job, tell: Tell): Promise<number> {
  const back = await job.ledger?.enter(planned, made, tell);
  if (back === undefined) return planned.index;
  const from = back === INPUT ? 'its input' : `'${job.plan[back]!.name}'`;
  const message = `Stage '${planned.name}' spent more accuracy than 'accept.maxDrop' leaves: the job goes on from ${from}.`;
  job.emit({ type: 'log', level: 'warn', message });
  return back;
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
  { reports, judged: last, after, speed }: Stages,
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
    last: after,
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
