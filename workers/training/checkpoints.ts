/** @file The state of a run on disk, so that a crashed job goes on where it was. */

import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';

export interface RunState {
  readonly step: number;
  readonly rateScale: number;
  readonly best: number;
  readonly bestStep: number;
  readonly sinceBest: number;
  readonly curve: readonly Readonly<Record<string, number>>[];
  readonly seconds: number;
  /** Name of a state input → its numbers. */
  readonly tensors: Readonly<Record<string, Float32Array>>;
  /** Weights of the losses, as their state machine has them; undefined: there is none. */
  readonly weights: unknown;
  /** When the tune images joined those that are trained on, and their metric then; undefined: not yet. */
  readonly joined: { readonly step: number; readonly metric: number } | undefined;
  readonly bestTensors: Readonly<Record<string, Float32Array>> | undefined;
}

/** One file, replaced whole: a crash in the middle of writing leaves the one before. */
export class Checkpoints {
  readonly #file: string;

  /** @param folder kept from one attempt of the stage to the next */
  constructor(folder: string) {
    this.#file = join(folder, 'training.state');
  }

  async save(state: RunState): Promise<void> {
    await writeFile(`${this.#file}.new`, serialize(state));
    await rename(`${this.#file}.new`, this.#file);
  }

  /** @returns undefined where there is none, or none that can be read */
  async load(): Promise<RunState | undefined> {
    try {
      return deserialize(await readFile(this.#file)) as RunState;
    } catch {
      return undefined;
    }
  }
}
