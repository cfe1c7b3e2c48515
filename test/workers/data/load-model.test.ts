import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ZipFile } from 'yazl';

import { loadModel } from '../../../workers/data/load-model.ts';
import { Out } from '../../../workers/onnx/out.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { valuesOf } from '../../../workers/onnx/values.ts';
import { file, graph, node, tensor } from '../onnx/protobuf.ts';

const location = new Out().text(1, 'location').text(2, 'weights.bin');
const onnx = file(
  graph(
    [node('MatMul', ['x', 'w'], ['y'])],
    new Out().message(5, tensor('w', [2, 2], 1, new Out().message(13, location))),
  ),
);
const files: Readonly<Record<string, Uint8Array>> = {
  'net.onnx': onnx,
  'weights.bin': new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
};

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lathe-load-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function folder(): string {
  const path = join(root, 'folder');
  mkdirSync(path);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
  return path;
}

async function tar(prefix: string): Promise<string> {
  const archive = pack();
  for (const [name, bytes] of Object.entries(files))
    archive.entry({ name: `${prefix}${name}` }, Buffer.from(bytes));
  archive.finalize();
  const path = join(root, 'model.tar.gz');
  await pipeline(archive, createGzip(), createWriteStream(path));
  return path;
}

async function zip(): Promise<string> {
  const archive = new ZipFile();
  for (const [name, bytes] of Object.entries(files)) archive.addBuffer(Buffer.from(bytes), name);
  archive.end();
  const path = join(root, 'model.zip');
  await pipeline(archive.outputStream, createWriteStream(path));
  return path;
}

const forms: Readonly<Record<string, () => string | Promise<string>>> = {
  'a folder': folder,
  'a file with its data beside it': () => join(folder(), 'net.onnx'),
  'a zip': zip,
  'a tar.gz': () => tar(''),
  'a tar.gz with a top folder': () => tar('net/'),
};

test.each(Object.entries(forms))(
  '%s becomes one file, and leaves nothing behind',
  async (_, make) => {
    const path = await make();
    mkdirSync(join(root, 'scratch'));

    const { bytes } = await loadModel(path, join(root, 'scratch'));

    const [w] = readModel(bytes).graph.initializers;
    expect([...(valuesOf(w!.constant!) as Float32Array)]).toEqual([1, 2, 3, 4]);
    expect(readdirSync(join(root, 'scratch'))).toEqual([]);
  },
);

test('all forms of a bundle agree on its id', async () => {
  const ids = [];
  for (const path of [folder(), await zip(), await tar('net/')])
    ids.push((await loadModel(path)).id);

  expect(new Set(ids).size).toBe(1);
});

test('bytes that are no model are refused as they are', async () => {
  const path = join(root, 'noise.onnx');
  writeFileSync(path, Buffer.from('not a model'));

  await expect(loadModel(path)).rejects.toMatchObject({ code: 'MODEL_UNREADABLE' });
});
