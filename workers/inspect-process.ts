/**
 * @file Inspection of an uploaded file in a process of its own, which the API starts by path.
 *
 *     node workers/inspect-process.ts model FILE [NAME]
 *     node workers/inspect-process.ts dataset ARCHIVE SCRATCH_FOLDER
 *
 * Prints one JSON document, `Inspection` of src/contract/inspection.ts, and exits with 0 whatever it found: another exit
 * status means that the file took the process down.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Inspection } from '../src/contract/inspection.ts';
import { extractArchive } from './data/archive.ts';
import { loadModel } from './data/load-model.ts';
import { inspectDataset } from './inspection/dataset.ts';
import { inspectionFailure, inspectModel } from './inspection/model.ts';

const [what, file, extra] = process.argv.slice(2);

async function inspect(): Promise<unknown> {
  if (file === undefined)
    throw new Error('usage: inspect-process model FILE [NAME] | dataset ARCHIVE SCRATCH');
  if (what === 'model') {
    const { bytes, id } = await loadModel(file, dirname(file));
    return { ...(await inspectModel(bytes, extra)), id };
  }
  if (what !== 'dataset' || extra === undefined) throw new Error(`cannot inspect a '${what}'`);
  const folder = await mkdtemp(join(extra, 'inspect-'));
  try {
    await extractArchive(file, folder);
    return await inspectDataset(folder, true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const document: Inspection<unknown> = await inspect().then(
  (info) => ({ ok: true, info }) as const,
  (error) => ({ ok: false, error: inspectionFailure(error) }) as const,
);
process.stdout.write(`${JSON.stringify(document)}\n`);
