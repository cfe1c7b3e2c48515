/** @file Uploads are inspected by a child process: nothing of theirs is parsed in the API itself. */

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { ServiceError } from '../contract/errors.ts';
import type { DatasetInfo, Inspection, ModelInfo } from '../contract/inspection.ts';
import { errorFrom } from '../contract/problem.ts';
import { type ChildEnd, runChild } from './child.ts';
import { Slots } from './slots.ts';

const GiB = 2 ** 30;

export interface InspectorOptions {
  /** Where archives are unpacked for a while. */
  readonly scratch: string;
  /** Most inspections at once. */
  readonly atOnce?: number;
  /** Longest wall clock of one, in seconds; a data set gets more by its size. */
  readonly seconds?: number;
  /** Most resident memory of one, in bytes, beyond what its file takes. */
  readonly memory?: number;
}

/** What is inspected: a file of this machine, under the name that its owner gave it. */
export interface Inspected {
  readonly path: string;
  readonly bytes: number;
  readonly name: string | null;
}

/** Hashing, unpacking and decoding the headers of this many bytes takes less than a second. */
const DATASET_BYTES_PER_SECOND = 8 * 2 ** 20;

export class Inspector {
  readonly #scratch: string;
  readonly #seconds: number;
  readonly #memory: number;
  readonly #slots: Slots;

  constructor({ scratch, atOnce = 2, seconds = 30, memory = 2 * GiB }: InspectorOptions) {
    this.#scratch = scratch;
    this.#seconds = seconds;
    this.#memory = memory;
    this.#slots = new Slots(atOnce);
  }

  /**
   * @param signal aborted: nobody waits any more, the child is killed
   * @throws MODEL_TOO_COMPLEX · MODEL_CRASHES_RUNTIME · INSPECTION_FAILED · whatever inspection finds wrong
   */
  async model({ path, bytes, name }: Inspected, signal: AbortSignal): Promise<ModelInfo> {
    const args = ['model', path, ...(name === null ? [] : [name])];
    const end = await this.#run(args, this.#seconds, 2 * bytes, signal);
    return verdict<ModelInfo>(end, 'model', (what, limit) => {
      throw new ServiceError('MODEL_TOO_COMPLEX', { what: `${what} of inspection`, limit });
    });
  }

  /** @throws DATASET_TOO_COMPLEX · INSPECTION_FAILED · whatever inspection finds wrong */
  async dataset({ path, bytes }: Inspected, signal: AbortSignal): Promise<DatasetInfo> {
    const seconds = this.#seconds + Math.ceil(bytes / DATASET_BYTES_PER_SECOND);
    const folder = await mkdtemp(join(this.#scratch, 'inspection-'));
    try {
      const end = await this.#run(['dataset', path, folder], seconds, 0, signal);
      return verdict<DatasetInfo>(end, 'data set', (what, limit) => {
        throw new ServiceError('DATASET_TOO_COMPLEX', { what, limit });
      });
    } finally {
      await rm(folder, { recursive: true, force: true }); // a child that was killed leaves it full
    }
  }

  #run(args: readonly string[], seconds: number, extra: number, signal: AbortSignal) {
    const limits = {
      seconds,
      cpuSeconds: seconds * availableParallelism(),
      memory: this.#memory + extra,
    };
    return this.#slots.use(signal, () => runChild(args, limits, signal));
  }
}

function verdict<Info>(
  end: ChildEnd,
  what: 'model' | 'data set',
  tooMuch: (what: string, limit: number) => never,
): Info {
  if (end.how === 'slow') return tooMuch('seconds', end.limit);
  if (end.how === 'large') return tooMuch('bytes of memory', end.limit);
  if (end.how === 'crashed') {
    if (what === 'model')
      throw new ServiceError('MODEL_CRASHES_RUNTIME', { signal: end.signal, times: 1 });
    throw new ServiceError('INSPECTION_FAILED', { what, how: `the signal ${end.signal}` });
  }
  if (end.how === 'failed') throw new ServiceError('INSPECTION_FAILED', { what, how: end.why });
  const told = end.document as Inspection<Info>;
  if (!told.ok) throw errorFrom(told.error);
  return told.info;
}
