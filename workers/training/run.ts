/** @file One run of training, step by step, from its first or from where a crashed attempt was. */

import { setImmediate } from 'node:timers/promises';

import type { Model } from '../onnx/graph.ts';
import { MixedStream, unlabelledAmong } from './batches/mixed.ts';
import { openBatches } from './batches/open.ts';
import { Checkpoints, type RunState } from './checkpoints.ts';
import { emaTenth } from './ema.ts';
import { Guard } from './guard.ts';
import { Judge } from './judge.ts';
import { Pace } from './pace.ts';
import type { Prepared } from './prepare.ts';
import { Refit } from './refit.ts';
import { SCHEDULES, warmUp } from './schedules.ts';
import { rateOf, type TrainSettings } from './settings.ts';
import type { CurvePoint, TrainContext, Trained } from './train.ts';
import type { Snapshot } from './trainer.ts';
import { type FedBatch, Weighing } from './weighing.ts';

/** Judgements of a run, at most. */
const MOST_JUDGEMENTS = 40;
/** Steps that are timed to tell how many fit into minutes. */
const TIMED_STEPS = 4;
/** Judging an image costs about this share of training on one; judging may take a fifth of the time. */
const JUDGE_COST = 0.5;
const JUDGE_SHARE = 0.2;
/** Judgements in a row that must reach what is enough: one may be luck. */
const ENOUGH = 2;

export class Run {
  readonly #model: Model;
  readonly #settings: TrainSettings;
  readonly #ctx: TrainContext;
  readonly #prepared: Prepared;
  readonly #judge: Judge;
  readonly #guard: Guard;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #weighing: Weighing;
  readonly #refit: Refit;
  readonly #rate: number;
  readonly #curve: CurvePoint[] = [];
  #best: { metric: number; step: number; snapshot: Snapshot };
  #before = 0;
  #sinceBest = 0;
  /** Judgements in a row that reached what is enough. */
  #enough = 0;
  /** Rate of the newest step. */
  #lr = 0;
  #pace: Pace;
  #stepSeconds = 0;
  #waited = 0;
  #sums = new Map<string, number>();
  #counted = 0;

  constructor(model: Model, settings: TrainSettings, ctx: TrainContext, prepared: Prepared) {
    this.#model = model;
    this.#settings = settings;
    this.#ctx = ctx;
    this.#prepared = prepared;
    this.#judge = new Judge(ctx.tune, ctx.binding, ctx);
    this.#guard = new Guard(prepared.trainer, (message) => ctx.warn(message));
    this.#checkpoints = ctx.kept === undefined ? undefined : new Checkpoints(ctx.kept);
    this.#weighing = new Weighing(prepared.companion, prepared.trainer);
    this.#refit = new Refit((settings.refit ?? false) && ctx.tune !== ctx.fit);
    this.#rate = rateOf(settings, ctx.binding.classes?.length ?? 0);
    this.#best = { metric: 0, step: 0, snapshot: prepared.trainer.snapshot() };
    this.#pace = new Pace(settings.length, 1);
  }

  async go(): Promise<Trained> {
    const { trainer } = this.#prepared;
    this.#ctx.progress(0, 'judging the model as it came');
    const from = performance.now();
    this.#before = await this.#judged();
    const judging = secondsSince(from);
    this.#best = { ...this.#best, metric: this.#before };
    this.#weighing.judged(this.#before);
    const images = this.#ctx.fit.length + this.#unlabelled.length;
    const perEpoch = Math.ceil(images / this.#settings.batch);
    const total = await this.#totalSteps(perEpoch, judging);
    const earlier = await this.#resume();
    const every = this.#judgeEvery(perEpoch, total);
    this.#pace = new Pace(this.#settings.length, total, earlier);
    let stream = await this.#open(total, this.#batchesDone);
    let ended = false;
    try {
      while (this.#pace.done(trainer.step) < 1 && !ended) {
        await this.#step(stream);
        const atEnd = this.#pace.done(trainer.step) >= 1 || this.#guard.exhausted;
        if (!atEnd && trainer.step % every !== 0) continue;
        ended = (await this.#judgement(perEpoch)) || this.#guard.exhausted;
        if (atEnd) continue;
        const [joins, replanned] = [this.#joins(), this.#pace.replanned(trainer.step)];
        if (joins || replanned) {
          await this.#close(stream);
          stream = await this.#open(this.#pace.total, this.#batchesDone);
        }
        await this.#keep();
      }
    } finally {
      await this.#close(stream);
    }
    trainer.writeInto(this.#model, this.#best.snapshot);
    return this.#trained(perEpoch, ended && this.#pace.done(trainer.step) < 1);
  }

  /** @returns whether the tune images are trained on from here */
  #joins(): boolean {
    const { trainer } = this.#prepared;
    const share = this.#pace.done(trainer.step);
    const { tune } = this.#curve.at(-1)!;
    const judged = { share, before: this.#before, best: this.#best.metric, tune };
    const joins = this.#refit.joins(trainer.step, judged);
    if (joins)
      this.#ctx.info(
        `The tune images have decided and are trained on too from step ${trainer.step}: their metric is a guard from here, not a measurement.`,
      );
    return joins;
  }

  async #close(stream: MixedStream): Promise<void> {
    await stream.close();
    this.#waited += stream.waitedSeconds;
  }

  get #batchesDone(): number {
    return this.#prepared.trainer.step * this.#prepared.accumulate;
  }

  async #step(stream: MixedStream): Promise<void> {
    const { trainer } = this.#prepared;
    const { signal, metric, progress } = this.#ctx;
    const before = trainer.snapshot();
    const step = before.step + 1;
    const lr = this.#lrAt(step);
    this.#lr = lr;
    const from = performance.now();
    const batches = await this.#weighing.weighed(await this.#batches(stream));
    const shown = this.#weighing.shown();
    const result = await trainer.train(batches, lr, emaTenth(step));
    this.#stepSeconds += secondsSince(from);
    signal.throwIfAborted();
    const accepted = this.#guard.accept(before, result);
    if (accepted) {
      this.#weighing.stepped(result, this.#pace.done(step));
      this.#count({ loss: result.loss, ...result.parts, ...shown });
    }
    metric({
      at: 'train',
      step,
      loss: finite(result.loss),
      gradientNorm: finite(result.norm),
      lr,
      ...Object.fromEntries(Object.entries(result.parts).map(([k, v]) => [k, finite(v)])),
      ...shown,
      ...(!accepted && { rolledBack: true }),
    });
    progress(0.98 * this.#pace.done(step), 'training');
    await setImmediate(); // run() blocks this thread: let cancellation and messages through
  }

  /** What one update takes. The stream writes into a batch's memory again: several are copied. */
  async #batches(stream: MixedStream): Promise<FedBatch[]> {
    const { accumulate } = this.#prepared;
    if (accumulate === 1) return [await this.#label(await stream.next())];
    const batches: FedBatch[] = [];
    for (let i = 0; i < accumulate; i++) {
      const batch = await this.#label(await stream.next());
      batches.push({ ...batch, images: batch.images.slice() });
    }
    return batches;
  }

  async #label(batch: Awaited<ReturnType<MixedStream['next']>>): Promise<FedBatch> {
    const { reference } = this.#prepared;
    const labelled = reference ? { ...batch, labels: await reference.label(batch) } : batch;
    return this.#weighing.told(labelled);
  }

  #lrAt(step: number): number {
    const { schedule, warmUp: share } = this.#settings;
    const rising = warmUp(step, Math.round(share * this.#pace.total));
    return this.#rate * rising * SCHEDULES[schedule](this.#pace.done(step - 1)) * this.#guard.scale;
  }

  #count(numbers: Readonly<Record<string, number>>): void {
    this.#counted++;
    for (const [name, x] of Object.entries(numbers))
      this.#sums.set(name, (this.#sums.get(name) ?? 0) + x);
  }

  /** @returns whether patience is at its end, or what was reached is enough */
  async #judgement(perEpoch: number): Promise<boolean> {
    const { trainer } = this.#prepared;
    const { patience } = this.#settings;
    trainer.writeInto(this.#model);
    const tune = await this.#judged();
    const means = [...this.#sums].map(([k, v]) => [k, v / Math.max(1, this.#counted)] as const);
    this.#sums.clear();
    this.#counted = 0;
    const point: CurvePoint = {
      step: trainer.step,
      epoch: this.#epochs(perEpoch),
      loss: 0,
      lr: this.#lr,
      tune,
      seconds: round(this.#pace.seconds),
      ...Object.fromEntries(means),
      ...this.#weighing.judged(tune),
    };
    this.#curve.push(point);
    const { loss: _, lr: __, ...shown } = point;
    this.#ctx.metric({ at: 'tune', metric: this.#judge.metric, ...shown });
    if (this.#refit.better(tune, this.#best.metric)) {
      this.#best = { metric: tune, step: trainer.step, snapshot: trainer.snapshot() };
      this.#sinceBest = 0;
    } else this.#sinceBest++;
    this.#enough =
      tune >= (this.#settings.enough ?? Number.POSITIVE_INFINITY) ? this.#enough + 1 : 0;
    return (patience > 0 && this.#sinceBest >= patience) || this.#enough >= ENOUGH;
  }

  /** Passes over the images: those that are trained on become more where the tune images join. */
  #epochs(perEpoch: number): number {
    const { step } = this.#prepared.trainer;
    const { fit, tune } = this.#ctx;
    const apart = Math.min(step, this.#refit.joined?.step ?? step);
    const together = (step - apart) * (fit.length / (fit.length + tune.length));
    return round((apart + together) / perEpoch);
  }

  #judged(): Promise<number> {
    const { finished = (model) => model } = this.#ctx;
    return this.#judge.judge(finished(this.#model));
  }

  /** After how many steps weights are judged: whole epochs, so that judging stays a small part of the time. */
  #judgeEvery(perEpoch: number, total: number): number {
    const { fit } = this.#ctx;
    const cost = (JUDGE_COST * this.#judge.samples.length) / (JUDGE_SHARE * fit.length);
    const epochs = Math.max(1, Math.ceil(cost), Math.ceil(total / perEpoch / MOST_JUDGEMENTS));
    return epochs * perEpoch;
  }

  /** @param judging seconds that one judgement takes */
  async #totalSteps(perEpoch: number, judging: number): Promise<number> {
    const { length } = this.#settings;
    if ('steps' in length) return length.steps;
    if ('epochs' in length) return Math.max(1, Math.round(length.epochs * perEpoch));
    const perStep = await this.#timeOfStep();
    const perStepJudged = perStep + judging / this.#judgeEvery(perEpoch, perEpoch);
    return Math.max(1, Math.floor((length.minutes * 60) / perStepJudged));
  }

  /** Seconds of the fastest of a few steps, the first left out. The state is what it was afterwards. */
  async #timeOfStep(): Promise<number> {
    const { trainer } = this.#prepared;
    const start = trainer.snapshot();
    const weights = this.#weighing.state();
    const stream = await this.#open(TIMED_STEPS * 2, 0);
    const times: number[] = [];
    try {
      for (let i = 0; i < TIMED_STEPS; i++) {
        const batches = await this.#batches(stream);
        const from = performance.now();
        await trainer.train(await this.#weighing.weighed(batches), 0, 1);
        times.push(secondsSince(from));
        this.#ctx.signal.throwIfAborted();
      }
    } finally {
      await stream.close();
      trainer.restore(start);
      this.#weighing.restore(weights);
    }
    return Math.min(...times.slice(1));
  }

  /** Images that the companion alone says something of. */
  get #unlabelled() {
    return (this.#prepared.companion && this.#ctx.unlabelled) ?? [];
  }

  async #open(total: number, start: number): Promise<MixedStream> {
    const { binding, seed, signal } = this.#ctx;
    const fit = this.#refit.joined ? [...this.#ctx.fit, ...this.#ctx.tune] : this.#ctx.fit;
    const { batch, accumulate } = this.#prepared;
    const { augment } = this.#settings;
    const unlabelled = this.#unlabelled;
    const share = unlabelled.length / (fit.length + unlabelled.length);
    const without = unlabelledAmong(start, share);
    const common = { binding, batch, seed, augment, signal };
    const open = (samples: typeof fit, part: number, from: number) =>
      openBatches({
        ...common,
        samples,
        totalSteps: Math.ceil(total * accumulate * part),
        start: from,
      });
    const labelled = await open(fit, 1 - share, start - without);
    const rest = unlabelled.length > 0 ? await open(unlabelled, share, without) : undefined;
    return new MixedStream(labelled, rest, share, start);
  }

  /** @returns seconds that the attempt before has trained */
  async #resume(): Promise<number> {
    const state = await this.#checkpoints?.load();
    if (state === undefined) return 0;
    const { trainer } = this.#prepared;
    const snapshot = (step: number, tensors: RunState['tensors']): Snapshot =>
      trainer.snapshotOf(step, tensors);
    trainer.restore(snapshot(state.step, state.tensors));
    this.#guard.scale = state.rateScale;
    this.#sinceBest = state.sinceBest;
    this.#weighing.restore(state.weights);
    this.#refit.restore(state.joined);
    this.#curve.push(...(state.curve as readonly CurvePoint[]));
    if (state.bestTensors)
      this.#best = {
        metric: state.best,
        step: state.bestStep,
        snapshot: snapshot(state.bestStep, state.bestTensors),
      };
    this.#ctx.info(`Going on at step ${state.step}, where the attempt before had got to.`);
    return state.seconds;
  }

  async #keep(): Promise<void> {
    const { trainer } = this.#prepared;
    const plain = ({ tensors }: Snapshot) =>
      Object.fromEntries([...tensors].map(([k, v]) => [k, v.data as Float32Array]));
    await this.#checkpoints?.save({
      step: trainer.step,
      rateScale: this.#guard.scale,
      best: this.#best.metric,
      bestStep: this.#best.step,
      sinceBest: this.#sinceBest,
      curve: this.#curve,
      seconds: this.#pace.seconds,
      weights: this.#weighing.state(),
      joined: this.#refit.joined,
      tensors: plain(trainer.snapshot()),
      bestTensors: this.#best.step === 0 ? undefined : plain(this.#best.snapshot),
    });
  }

  #trained(perEpoch: number, endedEarly: boolean): Trained {
    const { trainer, loss, parameters, frozen } = this.#prepared;
    const inSteps = this.#stepSeconds - this.#waited;
    return {
      loss: loss?.name ?? 'none',
      metric: this.#judge.metric,
      parameters,
      frozen,
      lr: this.#rate,
      steps: trainer.step,
      epochs: this.#epochs(perEpoch),
      before: this.#before,
      best: this.#best.metric,
      bestStep: this.#best.step,
      endedEarly,
      ...(this.#refit.joined && { tuneJoinedAt: this.#refit.joined.step }),
      rollbacks: this.#guard.rollbacks,
      secondsPerStep: round(inSteps / Math.max(1, trainer.step)),
      stepShare: round(inSteps / Math.max(1e-9, this.#stepSeconds)),
      curve: this.#curve,
    };
  }
}

const secondsSince = (from: number): number => (performance.now() - from) / 1000;
const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
const round = (x: number): number => Math.round(x * 1000) / 1000;
