/** @file Latency: models timed in turns in one process, so that the machine's moods hit all alike. */

import { setImmediate } from 'node:timers/promises';

import type { Latency } from '../../src/contract/report.ts';
import { type Feed, openSession, type Port, type Session } from '../runtime/session.ts';

export interface LatencyOptions {
  /** Intra-op threads; default 1. */
  readonly threads?: number;
  readonly provider?: string;
  /** Rounds in which every model runs once; at least 50 for figures that are reported. Default 50. */
  readonly pairs?: number;
  /** Untimed rounds before; default 20. */
  readonly warmup?: number;
  /** [height, width] where a model leaves them open; default 640 × 640. */
  readonly inputSize?: readonly [number, number];
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PairedLatency {
  readonly latency: Latency;
  /** Median over rounds of first model's time / this model's time. */
  readonly speedup: number;
  /** 95 % interval of that median. */
  readonly interval: readonly [number, number];
  /** Every timed run, ms. */
  readonly times: readonly number[];
}

/**
 * Time models against the first: batch 1, threads that do not spin (they would disturb the other sessions), the order
 * within a round alternating.
 *
 * @returns one entry per model; the first's speed-up is 1
 * @throws MODEL_CANNOT_RUN
 */
export async function pairedLatency(
  models: readonly Uint8Array[],
  options: LatencyOptions = {},
): Promise<PairedLatency[]> {
  const { threads = 1, provider = 'cpu', pairs = 50, warmup = 20 } = options;
  const { inputSize = [640, 640], signal, onProgress } = options;
  const sessions: Session[] = [];
  try {
    for (const model of models)
      sessions.push(await openSession(model, { threads, provider, spinning: false }));
    const feeds = sessions.map((s) => feedsFor(s.inputs, inputSize));
    const times = sessions.map((): number[] => []);
    for (let round = 0; round < warmup + pairs; round++) {
      signal?.throwIfAborted();
      for (const m of turn(sessions.length, round)) {
        const start = performance.now();
        await sessions[m]!.run(feeds[m]!);
        if (round >= warmup) times[m]!.push(performance.now() - start);
      }
      onProgress?.(round + 1, warmup + pairs);
      await setImmediate();
    }
    return times.map((own) => summary(own, times[0]!));
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** 0 … n − 1, backwards in every other round. */
function turn(n: number, round: number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  return round % 2 === 0 ? order : order.reverse();
}

function summary(own: readonly number[], first: readonly number[]): PairedLatency {
  const ratios = own.map((t, i) => first[i]! / t);
  return {
    latency: { median: quantile(own, 0.5), p95: quantile(own, 0.95) },
    speedup: quantile(ratios, 0.5),
    interval: medianInterval(ratios),
    times: own,
  };
}

/** Linear between sorted values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}

/**
 * 95 % interval of the median, free of assumptions about the distribution: the order statistics with ranks
 * (n − 1.96·√n) / 2 rounded down and, counted from the top, the same (Conover 1999, 3.2).
 */
export function medianInterval(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const rank = Math.max(1, Math.floor((n - 1.96 * Math.sqrt(n)) / 2));
  return [sorted[rank - 1]!, sorted[n - rank]!];
}

/** Inputs of a fixed, harmless content: how long a model takes does not depend on it. */
function feedsFor(
  inputs: readonly Port[],
  inputSize: readonly [number, number],
): Readonly<Record<string, Feed>> {
  return Object.fromEntries(inputs.map((port) => [port.name, feedFor(port, inputSize)]));
}

function feedFor({ shape, dtype }: Port, [height, width]: readonly [number, number]): Feed {
  const dims = shape.map((d, axis) => {
    if (typeof d === 'number' && d > 0) return d;
    if (shape.length !== 4 || axis === 0) return 1;
    const nchw = shape[3] !== 1 && shape[3] !== 3;
    const usual = nchw ? [1, 3, height, width] : [1, height, width, 3];
    return usual[axis]!;
  });
  const size = dims.reduce((a, b) => a * b, 1);
  return { dims, dtype, data: contentOf(dtype, size) };
}

function contentOf(dtype: Port['dtype'], size: number): Feed['data'] {
  const wave = (i: number) => 0.5 + 0.5 * Math.sin(i * 0.7);
  if (dtype === 'float32') return Float32Array.from({ length: size }, (_, i) => wave(i));
  if (dtype === 'float64') return Float64Array.from({ length: size }, (_, i) => wave(i));
  if (dtype === 'float16') return new Uint16Array(size).fill(0x3800); // 0.5
  if (dtype === 'int64') return new BigInt64Array(size);
  if (dtype === 'int32') return new Int32Array(size);
  if (dtype === 'int8') return new Int8Array(size);
  return Uint8Array.from({ length: size }, (_, i) => (dtype === 'bool' ? i % 2 : 255 * wave(i)));
}
