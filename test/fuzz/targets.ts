/** @file The readers that strangers' bytes go through, each with files to begin with. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { ZipFile } from 'yazl';

import { extractArchive } from '../../workers/data/archive.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { Tensor } from '../../workers/onnx/tensor.ts';
import { parseText } from '../../workers/onnx/text.ts';
import { writeModel } from '../../workers/onnx/write.ts';
import { sharedData } from '../helpers/shared-data.ts';
import { zooBytes } from '../helpers/zoo.ts';
import { tinyBytes } from '../workers/job/tiny.ts';

export interface Target {
  readonly seeds: () => Promise<readonly Uint8Array[]>;
  /** Reads one input. Throwing a ServiceError is right, anything else is a finding. */
  read(bytes: Uint8Array): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), 'lathe-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const MODELS = [
  '(float[1,4] x) => (float[1,2] y) <float[4,2] w = {1,2,3,4,5,6,7,8}> { y = MatMul(x, w) }',
  '(float[1,3,8,8] x) => (float[1,3,8,8] y) { a = Relu(x) y = Sigmoid(a) }',
];

/** A tensor of more bytes than this is not what makes a graph hard to read. */
const LARGE_BYTES = 256;
const REAL_GRAPHS = 3;

/** The smallest of the shared real graphs, large weights cut to one number: every field of a real file, and quick to spoil. */
function realGraphs(): Uint8Array[] {
  const smallest = (sharedData()?.zoo() ?? []).toSorted((a, b) => a.raw_bytes - b.raw_bytes);
  return smallest.slice(0, REAL_GRAPHS).map((entry) => {
    const model = readModel(zooBytes(entry));
    for (const value of model.graph.initializers) value.constant = cut(value.constant!);
    return new Uint8Array(writeModel(model));
  });
}

function cut(tensor: Tensor): Tensor {
  const { dtype, dims, bytes } = tensor;
  if (bytes.length <= LARGE_BYTES) return tensor;
  const elements = dims.reduce((n, d) => n * d, 1);
  const one = bytes.slice(0, bytes.length / elements);
  const ones = dims.map(() => 1);
  return new Tensor(dtype, ones, one);
}

async function* zipped(names: readonly string[]): AsyncGenerator<Uint8Array> {
  const zip = new ZipFile();
  for (const name of names) zip.addBuffer(Buffer.from(`text of ${name}\n`.repeat(20)), name);
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  yield new Uint8Array(Buffer.concat(chunks));
}

const NAMES = ['data.yaml', 'images/train/a.jpg', 'labels/train/a.txt', 'deep/er/and/deeper.txt'];

async function archives(): Promise<Uint8Array[]> {
  const tree = join(folder, 'tree');
  for (const name of NAMES) {
    mkdirSync(join(tree, name, '..'), { recursive: true });
    writeFileSync(join(tree, name), `text of ${name}\n`.repeat(20));
  }
  const tar = join(folder, 'seed.tar');
  execFileSync('tar', ['-cf', tar, '-C', tree, '.']);
  const plain = new Uint8Array(readFileSync(tar));
  return [plain, new Uint8Array(gzipSync(plain)), ...(await Array.fromAsync(zipped(NAMES)))];
}

export const TARGETS = {
  onnx: {
    seeds: async () => [
      new Uint8Array(tinyBytes()),
      ...MODELS.map((text) => new Uint8Array(writeModel(parseText(text)))),
      ...realGraphs(),
    ],
    async read(bytes) {
      readModel(bytes);
    },
  },
  archive: {
    seeds: archives,
    async read(bytes) {
      const [file, out] = [join(folder, 'input'), join(folder, 'out')];
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out);
      writeFileSync(file, bytes);
      await extractArchive(file, out, { totalBytes: 2 ** 24 });
    },
  },
} as const satisfies Record<string, Target>;

export type TargetName = keyof typeof TARGETS;
