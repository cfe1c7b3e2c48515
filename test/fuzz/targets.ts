/** @file The readers that strangers' bytes go through, each with files to begin with. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { ZipFile } from 'yazl';

import { extractArchive } from '../../workers/data/archive.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { parseText } from '../../workers/onnx/text.ts';
import { writeModel } from '../../workers/onnx/write.ts';
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
