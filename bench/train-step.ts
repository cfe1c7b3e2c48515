/**
 * @file What does a training step cost, beside PyTorch? Time and peak memory of forward, loss, gradients and SGD.
 *
 *     npm run bench -- train-step MODEL.onnx DATA [--batch 4,8] [--threads 2] [--rounds 6] [--steps 10]
 *
 * Both sides are processes of their own and take turns, so that the machine's other work falls on both. With PEER_PYTHON and
 * PEER_SCRIPTS set (a folder with torch_step.py, which trains YOLOv8n on its own data) the peer runs beside ours. Ours has the environment
 * of a job's process, the peer what a user of it has. Batches are made
 * beforehand on both sides; the first round warms up. The last line is JSON.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import { loadModel } from '../workers/data/load-model.ts';
import { openDataset } from '../workers/data/open.ts';
import { medianInterval, quantile } from '../workers/evaluation/latency.ts';
import { readModel } from '../workers/onnx/read.ts';
import * as format from '../workers/report/format.ts';
import { HUGE_PAGES } from '../workers/supervision/huge-pages.ts';
import { bindTask } from '../workers/tasks/registry.ts';
import { openBatches, type TrainBatch } from '../workers/training/batches/open.ts';
import { prepare } from '../workers/training/prepare.ts';
import type { TrainSettings } from '../workers/training/settings.ts';

/** What one side says after a line with a number of steps. */
interface Answer {
  readonly ms: readonly number[];
  readonly loss: number;
  readonly rss_mb: number;
}

/** No compiled scripts left in the peer's folder. */
const QUIET = { PYTHONDONTWRITEBYTECODE: '1' };

/** Batches that our side goes round. */
const BATCHES = 8;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    batch: { type: 'string', default: '4,8' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '6' },
    steps: { type: 'string', default: '10' },
    // The process of our side.
    ours: { type: 'boolean', default: false },
  },
});
const [modelFile, dataPath] = positionals;
if (!modelFile || !dataPath) {
  console.error('usage: train-step MODEL.onnx DATA [--batch 4,8] [--threads 2] [--rounds 6]');
  process.exit(2);
}
/** Steps on demand: a number per line in, an answer per line out. */
async function serve(): Promise<void> {
  const batch = Number(values.batch);
  const { bytes } = await loadModel(modelFile!);
  const model = readModel(bytes);
  const dataset = await openDataset(dataPath!);
  const binding = bindTask(model, { classes: dataset.classes });
  const fit = dataset.splits.train;
  const ctx = { binding, fit, threads: Number(values.threads), provider: 'cpu', info: () => {} };
  const { trainer } = await prepare(model, settings(batch), ctx);
  const batches: TrainBatch[] = [];
  const signal = new AbortController().signal;
  const plan = { samples: fit, binding, batch, seed: 0, augment: false as const, signal };
  const stream = await openBatches({ ...plan, totalSteps: BATCHES });
  while (batches.length < BATCHES) {
    const made = await stream.next();
    batches.push({ ...made, images: made.images.slice() });
  }
  await stream.close();
  let k = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const ms: number[] = [];
    let loss = 0;
    for (let i = 0; i < Number(line); i++) {
      const begun = performance.now();
      ({ loss } = await trainer.train([batches[k++ % BATCHES]!], 1e-5, 1));
      ms.push(performance.now() - begun);
    }
    const rss_mb = Math.round(process.resourceUsage().maxRSS / 1024);
    console.log(JSON.stringify({ ms, loss, rss_mb } satisfies Answer));
  }
}

/** The peer's: SGD with Nesterov momentum, nothing else. */
function settings(batch: number): TrainSettings {
  return {
    batch,
    optimizer: 'sgd',
    decay: 0,
    clip: 0,
    ema: false,
    augment: false,
    length: { steps: 1 },
    lr: 1e-5,
    schedule: 'constant',
    warmUp: 0,
    freeze: [],
    loss: 'auto',
    labelSmoothing: 0,
    batchStatistics: false,
    patience: 0,
  };
}

/** One side: a process that answers lines. */
class Side {
  readonly ms: number[] = [];
  readonly medians: number[] = [];
  rss = 0;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  constructor(command: string, args: readonly string[], own: Readonly<Record<string, string>>) {
    const env = { ...own, ...process.env };
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** @param counted whether the times count */
  async round(steps: number, counted: boolean): Promise<void> {
    this.#child.stdin.write(`${steps}\n`);
    const answer = await this.#answer();
    this.rss = answer.rss_mb * 2 ** 20;
    if (!counted) return;
    this.ms.push(...answer.ms);
    this.medians.push(quantile(answer.ms, 0.5));
  }

  /** Lines that are no answer (banners, greetings) are passed over. */
  async #answer(): Promise<Answer> {
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done) throw new Error('a side of the benchmark ended before it answered');
      if (/^\{.*"ms"/.test(value)) return JSON.parse(value) as Answer;
    }
  }

  close(): void {
    this.#lines.close();
    this.#child.stdin.end();
  }
}

async function compare(): Promise<void> {
  const rows = [['batch', 'ours', 'peer', 'ratio', '95 %', 'our memory', 'peer', 'ratio']];
  const results: object[] = [];
  for (const batch of values.batch.split(',')) {
    const { row, result } = await compareAt(batch);
    rows.push(row);
    results.push(result);
  }
  console.log(table(rows));
  console.log(JSON.stringify(results));
}

async function compareAt(batch: string) {
  const { bytes } = await loadModel(modelFile!);
  const [size] = bindTask(readModel(bytes)).inputSize;
  const { threads } = values;
  const args = ['--ours', '--batch', batch, '--threads', threads];
  const ours = new Side(
    process.execPath,
    [import.meta.filename, modelFile!, dataPath!, ...args],
    HUGE_PAGES,
  );
  const [python, scripts] = [process.env['PEER_PYTHON'], process.env['PEER_SCRIPTS']];
  const script = scripts && join(scripts, 'torch_step.py');
  const same = ['--size', String(size), '--batch', batch, '--threads', threads];
  const peer = python && script ? new Side(python, [script, ...same], QUIET) : undefined;
  for (let round = 0; round <= Number(values.rounds); round++) {
    await ours.round(Number(values.steps), round > 0);
    await peer?.round(Number(values.steps), round > 0);
  }
  ours.close();
  peer?.close();
  return summary(batch, ours, peer);
}

function summary(batch: string, ours: Side, peer: Side | undefined) {
  const median = (side: Side) => quantile(side.ms, 0.5);
  const result = { batch: Number(batch), ms: median(ours), rss: ours.rss };
  const own = [batch, format.milliseconds(result.ms)];
  if (!peer) return { row: [...own, '–', '–', '–', format.bytes(ours.rss), '–', '–'], result };
  const ratios = ours.medians.map((ms, i) => ms / peer.medians[i]!);
  const interval = medianInterval(ratios);
  const ratio = quantile(ratios, 0.5);
  const row = [
    ...own,
    format.milliseconds(median(peer)),
    format.factor(ratio),
    interval.map(format.digits).join('…'),
    format.bytes(ours.rss),
    format.bytes(peer.rss),
    format.factor(ours.rss / peer.rss),
  ];
  const beside = { peerMs: median(peer), ratio, interval, peerRss: peer.rss };
  return { row, result: { ...result, ...beside, rssRatio: ours.rss / peer.rss } };
}

await (values.ours ? serve() : compare());
