/** @file Job specs as files: read, completed with paths from the command line, planned. */

import { access, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import type { JobSpec } from '../src/contract/job.ts';
import { planJob } from '../src/contract/plan.ts';
import { readStageDocument } from '../src/contract/stage-document.ts';
import { type NamedTeacher, teacherModels } from '../src/contract/teachers.ts';
import { UsageError } from './failure.ts';

export interface LocalJob {
  /** Planned, without the references: files are named beside it. */
  readonly spec: JobSpec;
  readonly model: string;
  /** Paths of teachers, by what the spec calls them. */
  readonly models: Readonly<Record<string, string>>;
  readonly dataset: string | undefined;
}

/** @throws UsageError the file is no JSON, or no object */
export async function readSpec(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8');
  let spec: unknown;
  try {
    spec = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`'${file}' is not JSON: ${(error as Error).message}`);
  }
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    throw new UsageError(
      `'${file}' holds ${Array.isArray(spec) ? 'a list' : spec === null ? 'null' : `a ${typeof spec}`}, not a job spec: an object such as {"stages": [{"stage": "quantize"}]}.`,
    );
  return spec as Record<string, unknown>;
}

/**
 * A spec whose model and data set are files: from the options, else from the spec, where paths are relative to the spec's
 * own folder.
 *
 * @throws SPEC_INVALID · UsageError a file is not named or not there
 */
export async function localJob(
  file: string,
  options: { model?: unknown; data?: unknown },
): Promise<LocalJob> {
  const raw = await readSpec(file);
  const { model: ownModel, dataset: ownData, ...rest } = raw;
  const spec = planJob(rest, readStageDocument());
  const model = await place(options.model, ownModel, file, 'model', '--model M.onnx');
  if (model === undefined)
    throw new UsageError(
      `No model: give --model M.onnx, or a path in the field 'model' of '${file}'.`,
    );
  return {
    spec,
    model,
    models: await teacherPaths(teacherModels(spec.stages), file),
    dataset: await place(options.data, ownData, file, 'dataset', '--data DATA'),
  };
}

/** Teachers that are models of their own: paths relative to the spec's folder. */
export async function teacherPaths(
  teachers: readonly NamedTeacher[],
  file: string,
): Promise<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const { teacher, pointer } of teachers) {
    const own = String(teacher);
    if (own.startsWith('sha256:'))
      throw new UsageError(
        `${pointer} of '${file}' names a model on a server; here give its path.`,
      );
    paths[own] = (await place(undefined, own, file, pointer, ''))!;
  }
  return paths;
}

async function place(
  given: unknown,
  own: unknown,
  spec: string,
  field: string,
  option: string,
): Promise<string | undefined> {
  const path =
    typeof given === 'string'
      ? resolve(given)
      : typeof own === 'string'
        ? resolve(dirname(spec), own)
        : undefined;
  if (path === undefined) return undefined;
  if (typeof own === 'string' && own.startsWith('sha256:') && typeof given !== 'string') {
    throw new UsageError(
      `The field '${field}' of '${spec}' names a file on a server; here give ${option}.`,
    );
  }
  await requireFile(
    path,
    typeof given === 'string' ? option.split(' ')[0]! : `the field '${field}' of '${spec}'`,
  );
  return path;
}

/**
 * A file to upload: from the option, else from the spec's field, where it is a path relative to the spec's own folder.
 *
 * @returns undefined where the field holds an id, or nothing
 * @throws UsageError it is not there
 */
export async function uploadPath(
  given: unknown,
  own: unknown,
  spec: string,
  field: 'model' | 'dataset',
): Promise<string | undefined> {
  if (typeof given !== 'string' && (typeof own !== 'string' || own.startsWith('sha256:')))
    return undefined;
  return place(given, own, spec, field, field === 'model' ? '--model M.onnx' : '--data DATA');
}

async function requireFile(path: string, from: string): Promise<void> {
  await access(path).catch(() => {
    throw new UsageError(`'${path}' does not exist (from ${from}).`);
  });
}
