/** @file Cases of one oracle folder of the shared data, tensors read. */

import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

export interface OracleCase {
  readonly name: string;
  readonly folder: string;
  /** The case's JSON; every tensor in it is `{ shape, data }`. */
  readonly data: Readonly<Record<string, unknown>>;
}

const ROOT = resolve(
  process.env['LATHE_TEST_DATA'] ?? join(import.meta.dirname, '../../../shared/data'),
);

/** Empty where there is no shared data, or its index names no such folder. */
export function readOracleCases(subject: string): readonly OracleCase[] {
  const index = join(ROOT, 'index.json');
  if (!existsSync(index)) return [];
  const { oracles } = JSON.parse(readFileSync(index, 'utf8')) as { oracles: readonly string[] };
  const found = oracles.find((path) => basename(path) === subject);
  if (found === undefined) return [];
  const folder = join(ROOT, found);
  const { cases } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    cases: readonly string[];
  };
  return cases.map((name) => ({
    name,
    folder,
    data: readTensors(JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')), folder),
  }));
}

function readTensors<T>(node: T, folder: string): T {
  if (Array.isArray(node)) return node.map((child) => readTensors(child, folder)) as T;
  if (node === null || typeof node !== 'object') return node;
  const entry = node as Partial<TensorEntry>;
  if (entry.dtype !== undefined && entry.shape !== undefined)
    return { shape: entry.shape, data: elements(entry as TensorEntry, folder) } as T;
  return Object.fromEntries(
    Object.entries(node).map(([key, child]) => [key, readTensors(child, folder)]),
  ) as T;
}

interface TensorEntry {
  readonly dtype: 'f32' | 'i64' | 'u8';
  readonly shape: readonly number[];
  readonly data?: readonly number[];
  readonly file?: string;
  readonly offset?: number;
}

const BYTES = { f32: 4, i64: 8, u8: 1 } as const;

function elements({ dtype, shape, data, file, offset = 0 }: TensorEntry, folder: string) {
  const size = shape.reduce((n, d) => n * d, 1);
  if (data) return dtype === 'f32' ? Float32Array.from(data) : Float64Array.from(data);
  const start = offset * BYTES[dtype];
  const bytes = readFileSync(join(folder, file!)).subarray(start, start + size * BYTES[dtype]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (dtype === 'f32')
    return Float32Array.from({ length: size }, (_, i) => view.getFloat32(4 * i, true));
  if (dtype === 'u8') return Uint8Array.from(bytes);
  return Float64Array.from({ length: size }, (_, i) => Number(view.getBigInt64(8 * i, true)));
}
