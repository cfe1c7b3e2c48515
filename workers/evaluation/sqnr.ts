/** @file Signal to quantization noise of every output, part by part. */

import { setImmediate } from 'node:timers/promises';

import type { Sample } from '../data/dataset.ts';
import { openFloatSession } from '../runtime/float-session.ts';
import { sampleFeeds, toPlanes } from '../tasks/feed.ts';
import { type OutputPart, outputParts } from '../tasks/output-parts.ts';
import type { Plane, TaskBinding } from '../tasks/task.ts';
import type { EvaluateOptions } from './evaluate.ts';

export interface OutputSqnr {
  readonly output: string;
  /** boxes, objectness, scores, or '' for the whole output. */
  readonly part: string;
  /** 10 · log₁₀(Σ y₀² / Σ (y − y₀)²); Infinity where the two are equal, NaN where shapes differ. */
  readonly db: number;
}

/**
 * SQNR of `candidate` against `reference` over all samples, for each part of each output. Parts have their own scale:
 * box coordinates of 600 would hide every error of a score.
 *
 * @throws IMAGE_UNREADABLE · MODEL_CANNOT_RUN · TASK_DOES_NOT_FIT the model takes no image
 */
export async function outputSqnr(
  reference: Uint8Array,
  candidate: Uint8Array,
  binding: TaskBinding,
  samples: readonly Sample[],
  { threads = 1, provider = 'cpu', signal, onProgress }: EvaluateOptions = {},
): Promise<OutputSqnr[]> {
  const sessions = [
    await openFloatSession(reference, { threads, provider }),
    await openFloatSession(candidate, { threads, provider }),
  ] as const;
  const sums = outputParts(
    binding,
    sessions[0].outputs.map((o) => o.name),
  ).map((part) => new Sum(part));
  try {
    let done = 0;
    for await (const { feeds } of sampleFeeds(samples, binding)) {
      signal?.throwIfAborted();
      const y0 = toPlanes(await sessions[0].run(feeds));
      const y = toPlanes(await sessions[1].run(feeds));
      for (const sum of sums) sum.add(y0, y);
      onProgress?.(++done, samples.length);
      await setImmediate();
    }
  } finally {
    for (const session of sessions) await session.release();
  }
  return sums.map((sum) => sum.result());
}

class Sum {
  readonly #part: OutputPart;
  #signal = 0;
  #noise = 0;

  constructor(part: OutputPart) {
    this.#part = part;
  }

  add(y0: Readonly<Record<string, Plane>>, y: Readonly<Record<string, Plane>>): void {
    const [a, b] = [y0[this.#part.output]!, y[this.#part.output]];
    if (b?.dims.join() !== a.dims.join()) {
      this.#noise = Number.NaN;
      return;
    }
    const others = this.#part.chunks(b)[Symbol.iterator]();
    for (const chunk of this.#part.chunks(a)) {
      const other = others.next().value as Float32Array;
      for (const [i, value] of chunk.entries()) {
        this.#signal += value ** 2;
        this.#noise += (other[i]! - value) ** 2;
      }
    }
  }

  result(): OutputSqnr {
    const db =
      this.#noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(this.#signal / this.#noise);
    return { output: this.#part.output, part: this.#part.part, db };
  }
}
