/** @file The process that inspects uploads: always one JSON document, whatever the file. */

import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';

import { pack } from 'tar-stream';
import { expect, test } from 'vitest';

import type { Inspection } from '../../../src/contract/inspection.ts';
import { testFolder } from '../../helpers/image-folder.ts';
import { colourFolder, tinyBytes } from '../job/tiny.ts';

const PROCESS = resolve(import.meta.dirname, '../../../workers/inspect-process.ts');

async function inspect(...args: string[]): Promise<Inspection<Record<string, unknown>>> {
  const child = spawn(process.execPath, [PROCESS, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (c: Buffer) => chunks.push(c));
  const code = await new Promise((done) => child.on('close', done));
  expect(code).toBe(0);
  return JSON.parse(Buffer.concat(chunks).toString());
}

test('a model: what it is, by the contract', async () => {
  const file = join(await testFolder(), 'm');
  await writeFile(file, tinyBytes());

  const found = await inspect('model', file, 'colours.onnx');

  expect(found).toMatchObject({
    ok: true,
    info: {
      name: 'colours.onnx',
      task: 'classify',
      bytes: tinyBytes().length,
      inputs: [{ name: 'images', dtype: 'float32', shape: [1, 3, 32, 32] }],
      outputs: [{ name: 'scores', dtype: 'float32', shape: [1, 3] }],
      params: 8 * 27 + 8 + 4 * 8 + 24,
      macs: 16 * 16 * 8 * 27 + 24,
      warnings: [],
    },
  });
});

const bad: Record<string, Uint8Array> = {
  empty: new Uint8Array(),
  'of random bytes': Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251),
  'cut in half': tinyBytes().subarray(0, tinyBytes().length / 2),
  'of text': Buffer.from('<html>404</html>'),
};

test.each(Object.entries(bad))('a model file that is %s is refused by name', async (_, bytes) => {
  const file = join(await testFolder(), 'm');
  await writeFile(file, bytes);

  const found = await inspect('model', file);

  expect(found).toMatchObject({
    ok: false,
    error: { code: expect.stringMatching(/^MODEL_/), detail: expect.stringMatching(/\w/) },
  });
});

async function tarOf(folder: string, file: string): Promise<void> {
  const tar = pack();
  const written = finished(tar.pipe(createWriteStream(file)));
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    tar.entry({ name: path.slice(folder.length + 1) }, await readFile(path));
  }
  tar.finalize();
  await written;
}

test('a data set archive: classes, images and labels per split; nothing is left behind', async () => {
  const root = await testFolder();
  const folder = await colourFolder(join(root, 'data'));
  await writeFile(join(folder, 'train/red/broken.png'), 'no picture');
  await tarOf(folder, join(root, 'data.tar'));
  const scratch = join(root, 'scratch');
  await mkdir(scratch);

  const found = await inspect('dataset', join(root, 'data.tar'), scratch);

  expect(found).toMatchObject({
    ok: true,
    info: {
      task: 'classify',
      classes: ['blue', 'green', 'red'],
      images: { train: 19, val: 6, test: 0 },
      unreadable: ['train/red/broken.png'],
      warnings: [expect.stringContaining('broken.png')],
    },
  });
  expect(await readdir(scratch)).toEqual([]);
});

test('an archive that is none is refused by name', async () => {
  const root = await testFolder();
  await writeFile(join(root, 'data.zip'), 'PK but not really');

  expect(await inspect('dataset', join(root, 'data.zip'), root)).toMatchObject({
    ok: false,
    error: { code: 'ARCHIVE_INVALID' },
  });
});
