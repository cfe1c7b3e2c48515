/** @file Model files of a job: read one, write one, name it by its bytes. */

import { rename, writeFile } from 'node:fs/promises';

import type { Preprocess } from '../../src/contract/preprocess.ts';
import { digestOf, loadModel } from '../data/load-model.ts';
import type { Model } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { writeModel } from '../onnx/write.ts';

/** A model with the bytes it has in its file. Reading anew gives a copy that may be changed. */
export interface ModelFile {
  readonly bytes: Uint8Array;
  /** sha256:<64 hex> of the bytes. */
  readonly digest: string;
  read(): Model;
}

export function modelFile(bytes: Uint8Array): ModelFile {
  return { bytes, digest: digestOf(bytes), read: () => readModel(bytes) };
}

/** A file, or a model with external data: an archive, a folder, or the `.onnx` of one. */
export async function openModelFile(path: string): Promise<ModelFile> {
  const { bytes, id } = await loadModel(path);
  return { ...modelFile(bytes), digest: id };
}

/** What the output says about its making. No time and no machine, so the same job gives the same bytes. */
export interface Provenance {
  readonly lathe: string;
  /** Digest of the job's input model. */
  readonly input: string;
  readonly preprocess: Preprocess;
  readonly stages: readonly Readonly<Record<string, unknown>>[];
}

/** Encode a model with the metadata it came with and Lathe's own beside it. */
export function encodeWith(model: Model, provenance: Provenance): ModelFile {
  Object.assign(model.metadata, {
    'lathe.version': provenance.lathe,
    'lathe.input': provenance.input,
    'lathe.preprocess': JSON.stringify(provenance.preprocess),
    'lathe.stages': JSON.stringify(provenance.stages),
  });
  return modelFile(writeModel(model));
}

/** Write so that a crash leaves the old file or the new one, never half of it. */
export async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  await writeFile(`${path}.part`, content, { flush: true });
  await rename(`${path}.part`, path);
}
