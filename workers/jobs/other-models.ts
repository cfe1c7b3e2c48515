/** @file Models of a job beside the one that goes from stage to stage: its input, results of stages, files that it names. */

import { ServiceError } from '../../src/contract/errors.ts';
import { type NamedTeacher, teachersIn } from '../../src/contract/teachers.ts';
import { checkModel } from '../onnx/check.ts';
import type { Model } from '../onnx/graph.ts';
import { type ModelFile, openModelFile } from './model-file.ts';
import type { PlannedStage } from './plan.ts';

interface Files {
  readonly models?: Readonly<Record<string, string>> | undefined;
}

interface Named {
  readonly path: string;
  readonly digest: string;
}

/** Only digests are kept of named files: they are read when they are wanted, and must not have changed by then. */
export class OtherModels {
  readonly #input: ModelFile;
  readonly #named: ReadonlyMap<string, Named>;
  readonly #made = new Map<number, ModelFile>();

  /** Everything that the stages name is there and can be read. @throws TEACHER_MISSING · MODEL_UNREADABLE · MODEL_INVALID */
  static async open(
    plan: readonly PlannedStage[],
    input: ModelFile,
    { models = {} }: Files,
  ): Promise<OtherModels> {
    const named = new Map<string, Named>();
    for (const { teacher, index } of plan.flatMap(teachersOf)) {
      if (typeof teacher === 'number') {
        if (teacher >= index) throw missing(teacher, `stage ${index} comes no later than it`);
      } else if (teacher !== 'input') {
        const path = models[teacher];
        if (path === undefined) throw missing(teacher, 'no such model was given');
        const file = await opened(teacher, path);
        checkModel(file.read());
        named.set(teacher, { path, digest: file.digest });
      }
    }
    return new OtherModels(input, named);
  }

  private constructor(input: ModelFile, named: ReadonlyMap<string, Named>) {
    this.#input = input;
    this.#named = named;
  }

  /** Remember what a stage made. @returns the outcome as it was given */
  made<Outcome extends { readonly file: ModelFile }>(index: number, outcome: Outcome): Outcome {
    this.#made.set(index, outcome.file);
    return outcome;
  }

  /** What decides the result of a stage through its teachers; 'input' is part of every key already. */
  digestsFor(planned: PlannedStage): string[] {
    return teachersOf(planned).flatMap(({ teacher }) => {
      if (typeof teacher === 'number') return this.#made.get(teacher)?.digest ?? [];
      return this.#named.get(teacher)?.digest ?? [];
    });
  }

  /** @throws TEACHER_MISSING it was removed or replaced since the job began */
  async read(reference: string | number): Promise<Model> {
    if (reference === 'input') return this.#input.read();
    if (typeof reference === 'number') {
      const made = this.#made.get(reference);
      if (!made) throw missing(reference, `stage ${reference} has made no model yet`);
      return made.read();
    }
    const known = this.#named.get(reference);
    if (!known) throw missing(reference, 'no such model was given');
    const file = await opened(reference, known.path);
    if (file.digest !== known.digest) throw missing(reference, 'it was replaced during the job');
    return file.read();
  }
}

const teachersOf = ({ index, options }: PlannedStage): NamedTeacher[] =>
  teachersIn([options]).map((found) => ({ ...found, index }));

const missing = (teacher: string | number, why: string) =>
  new ServiceError('TEACHER_MISSING', { teacher: String(teacher), why });

async function opened(teacher: string, path: string): Promise<ModelFile> {
  try {
    return await openModelFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw missing(teacher, 'its file is gone');
  }
}
