/**
 * @file The shared test data: models, data sets, oracles and zoo graphs, found through their index files.
 *
 * The folder is `LATHE_TEST_DATA`, or `../shared/data` beside the checkout. Nothing in it is asked for by
 * name, so that the same tests run on another folder of the same form.
 */

import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import type { Preprocess } from '../../src/contract/preprocess.ts';

export { type OracleCase, readOracleCases as oracleCases } from './oracle-cases.ts';

export interface SharedModel {
  readonly file: string;
  readonly path: string;
  readonly task: string;
  readonly size: number;
  readonly dataset: string;
  readonly float: boolean;
  readonly quantized?: string;
  readonly broken?: string;
  readonly shippable: boolean;
  /** File of expected figures, absolute. */
  readonly expected?: string;
  readonly preprocess?: Partial<Preprocess>;
}

export interface SharedDataset {
  readonly name: string;
  /** A data.yaml or a folder, absolute. */
  readonly path: string;
  readonly task: string;
  readonly splits: readonly string[];
  readonly shippable: boolean;
}

export interface ZooEntry {
  readonly name: string;
  /** The gzipped model, absolute. */
  readonly path: string;
  readonly raw_bytes: number;
  readonly params: number;
  readonly macs: number;
  readonly opset: Readonly<Record<string, number>>;
  readonly ops: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly (number | string)[];
    readonly run_shape: readonly number[];
  }[];
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly zeroed: readonly {
    readonly name: string;
    readonly dims: readonly number[];
    readonly mean: number;
    readonly std: number;
  }[];
  readonly [more: string]: unknown;
}

export interface SharedData {
  readonly root: string;
  readonly index: Readonly<Record<string, unknown>>;
  readonly models: readonly SharedModel[];
  readonly datasets: readonly SharedDataset[];
  /** Graphs of the zoo; big float weights are zeros until `filledZooModel` (zoo.ts) fills them. */
  zoo(): readonly ZooEntry[];
  /** Folder of the oracle whose last path part is `name`. */
  oracle(name: string): string | undefined;
  /** The archive of ONNX's own node tests. */
  readonly conformance: string | undefined;
}

export const NO_SHARED_DATA = 'the shared test data is absent (set LATHE_TEST_DATA)';

const ROOT = resolve(
  process.env['LATHE_TEST_DATA'] ?? join(import.meta.dirname, '../../../shared/data'),
);

/** Undefined where the folder is absent. */
export function sharedData(): SharedData | undefined {
  const file = join(ROOT, 'index.json');
  if (!existsSync(file)) return undefined;
  const index = readJson(file);
  const oracles = (index['oracles'] ?? []) as readonly string[];
  const conformance = index['conformance'] as string | undefined;
  return {
    root: ROOT,
    index,
    models: entries(index['models']).map(locateModel),
    datasets: entries(index['datasets']).map(
      (entry) => ({ ...entry, path: join(ROOT, entry['data'] as string) }) as SharedDataset,
    ),
    zoo: () => readZoo(index['zoo'] as string | undefined),
    oracle: (name) => {
      const found = oracles.find((path) => basename(path) === name);
      return found && join(ROOT, found);
    },
    conformance: conformance && join(ROOT, conformance),
  };
}

type Json = Readonly<Record<string, unknown>>;

const entries = (list: unknown) => (list ?? []) as readonly Json[];
const readJson = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Json;

function locateModel(entry: Json): SharedModel {
  const expected = entry['expected'] as string | undefined;
  return {
    ...entry,
    path: join(ROOT, entry['file'] as string),
    ...(expected && { expected: join(ROOT, expected) }),
  } as SharedModel;
}

function readZoo(manifest: string | undefined): readonly ZooEntry[] {
  if (manifest === undefined) return [];
  const folder = join(ROOT, dirname(manifest));
  return entries(readJson(join(ROOT, manifest))['models']).map(
    (entry) => ({ ...entry, path: join(folder, entry['file'] as string) }) as unknown as ZooEntry,
  );
}
