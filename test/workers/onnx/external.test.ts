import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { bundledModel, readModelFile } from '../../../workers/onnx/external.ts';
import { Out } from '../../../workers/onnx/out.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { valuesOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { file, graph, node, tensor } from './protobuf.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lathe-bundle-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** y = MatMul(x, w), w: float[2, 2] in another file. */
function bundle(entries: Readonly<Record<string, string>>): string {
  const where = new Out();
  for (const [key, value] of Object.entries(entries))
    where.message(13, new Out().text(1, key).text(2, value));
  const weight = tensor('w', [2, 2], 1, where.int(14, 1));
  const path = join(folder, 'model.onnx');
  writeFileSync(
    path,
    file(graph([node('MatMul', ['x', 'w'], ['y'])], new Out().message(5, weight))),
  );
  return path;
}

const data = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer);

test('weights are read from the range that the model names, and written back inside the file', () => {
  const path = bundle({ location: 'weights.bin', offset: '4', length: '16' });
  writeFileSync(join(folder, 'weights.bin'), data);

  const model = readModelFile(path);
  const again = readModel(writeModel(model));

  for (const m of [model, again])
    expect([...(valuesOf(m.graph.initializers[0]!.constant!) as Float32Array)]).toEqual([
      1, 2, 3, 4,
    ]);
});

test('an absent offset and length mean the whole of the tensor from the start', () => {
  const path = bundle({ location: 'weights.bin' });
  writeFileSync(join(folder, 'weights.bin'), data);

  expect([
    ...(valuesOf(readModelFile(path).graph.initializers[0]!.constant!) as Float32Array),
  ]).toEqual([9, 1, 2, 3]);
});

test.each<[string, Record<string, string>, RegExp]>([
  ['outside, by ..', { location: '../weights.bin' }, /plain file name/],
  ['outside, by an absolute path', { location: '/etc/passwd' }, /plain file name/],
  ['in the parent itself', { location: '..' }, /plain file name/],
  ['in a subfolder', { location: 'sub/weights.bin' }, /plain file name/],
  ['behind a backslash', { location: '..\\weights.bin' }, /plain file name/],
  ['nowhere', { location: '' }, /plain file name/],
  ['in a file that is not there', { location: 'absent.bin' }, /'absent\.bin'.*not there/],
  ['in a link', { location: 'link.bin' }, /'link\.bin'.*link/],
  ['in a folder', { location: 'sub' }, /'sub'.*no plain file/],
  ['past the end', { location: 'weights.bin', offset: '8' }, /outside 'weights\.bin' \(20 bytes\)/],
  ['before the start', { location: 'weights.bin', offset: '-4' }, /outside/],
  ['at no number', { location: 'weights.bin', offset: 'four' }, /outside/],
  ['in a range of another size', { location: 'weights.bin', length: '8' }, /16 bytes.*holds 8/],
])('data %s is refused', (_, entries, message) => {
  const path = bundle(entries);
  writeFileSync(join(folder, 'weights.bin'), data);
  symlinkSync(join(folder, 'weights.bin'), join(folder, 'link.bin'));
  mkdirSync(join(folder, 'sub'));

  expect(() => readModelFile(path)).toThrow(
    expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringMatching(message) }),
  );
});

test('a model with external data alone says what to upload', () => {
  const bytes = file(
    graph(
      [node('MatMul', ['x', 'w'], ['y'])],
      new Out().message(
        5,
        tensor(
          'w',
          [2, 2],
          1,
          new Out().message(13, new Out().text(1, 'location').text(2, 'w.bin')),
        ),
      ),
    ),
  );

  expect(() => readModel(bytes)).toThrow(/w\.bin.*archive/);
});

test.each<[string, string[]]>([
  ['no model', ['weights.bin']],
  ['two models', ['a.onnx', 'b.onnx']],
])('a bundle with %s is refused', (_, names) => {
  for (const name of names) writeFileSync(join(folder, name), data);

  expect(() => bundledModel(folder)).toThrow(expect.objectContaining({ code: 'MODEL_UNREADABLE' }));
});

test('a data file may be a hard link', () => {
  const path = bundle({ location: 'hard.bin' });
  writeFileSync(join(folder, 'weights.bin'), data);
  linkSync(join(folder, 'weights.bin'), join(folder, 'hard.bin'));

  expect(bundledModel(folder)).toBe(path);
  expect(readModelFile(path).graph.initializers).toHaveLength(1);
});
