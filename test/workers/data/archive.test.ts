import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { ZipFile } from 'yazl';

import { extractArchive } from '../../../workers/data/archive.ts';
import { filesUnder, posixPath } from '../../../workers/data/files.ts';
import { openDataset } from '../../../workers/data/open.ts';
import type { ArchiveLimits } from '../../../workers/data/unpacking.ts';
import { testFolder, writeTree } from '../../helpers/image-folder.ts';

type Entry = readonly [header: Partial<Header> & { name: string }, content?: string | Uint8Array];

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const [header, content] of entries) tar.entry(header, Buffer.from(content ?? ''));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function zipOf(files: Readonly<Record<string, string | Uint8Array>>, mode?: number) {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files))
    zip.addBuffer(Buffer.from(content), name, mode === undefined ? {} : { mode });
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Put `name` in the place of an innocent one of the same length: writers refuse to write what readers must refuse. */
const renamed = (zip: Buffer, from: string, to: string) =>
  Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1');

async function unpacked(archive: Uint8Array, limits: Partial<ArchiveLimits> = {}) {
  const root = await testFolder();
  const target = join(root, 'out');
  await writeFile(join(root, 'archive'), archive);
  await mkdir(target);
  await extractArchive(join(root, 'archive'), target, limits);
  const found = await filesUnder(target);
  return Object.fromEntries(
    await Promise.all(
      found.map(async (file) => [posixPath(target, file), await readFile(file, 'utf8')] as const),
    ),
  );
}

const content = { 'a/b.txt': 'one', 'c.txt': 'two', 'a/empty': '' };
const asTar = () =>
  tarOf([
    [{ name: 'a/', type: 'directory' }],
    ...Object.entries(content).map(([name, text]) => [{ name }, text] as const),
  ]);

const forms: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  zip: () => zipOf(content),
  tar: asTar,
  'tar.gz': async () => gzipSync(await asTar()),
  'tar with ./ before names': () =>
    tarOf(Object.entries(content).map(([name, text]) => [{ name: `./${name}` }, text] as const)),
};

test.each(Object.entries(forms))('%s unpacks to its files', async (_, make) => {
  expect(await unpacked(await make())).toEqual(content);
});

const link = (type: 'symlink' | 'link'): Entry => [{ name: 'l', type, linkname: '/etc/passwd' }];
const refusals: Readonly<Record<string, readonly [() => Promise<Uint8Array>, string]>> = {
  'random bytes': [async () => Buffer.alloc(2000, 7), 'no archive'],
  'an empty file': [async () => Buffer.alloc(0), 'empty'],
  'a 7z file': [async () => Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), '7z'],
  'an empty zip': [() => zipOf({}), 'holds no file'],
  'a zip cut short': [async () => (await zipOf(content)).subarray(0, 120), 'damaged'],
  'a tar cut short': [
    async () => (await tarOf([[{ name: 'a' }, 'x'.repeat(900)]])).subarray(0, 900),
    'damaged',
  ],
  'a gzip that holds no tar': [async () => gzipSync(Buffer.alloc(3000, 65)), 'damaged'],
  'a zip whose data changed': [
    async () =>
      renamed(await zipOf({ 'a.txt': 'innocent-content' }), 'a.txt', 'a.txt').fill(0x61, 40, 45),
    'damaged',
  ],
  'a zip with ../': [
    async () => renamed(await zipOf({ 'aa/b.txt': 'x' }), 'aa/b', '../b'),
    'b.txt',
  ],
  'a zip with an absolute name': [
    async () => renamed(await zipOf({ 'aa/b.txt': 'x' }), 'aa/b', '/a/b'),
    'absolute',
  ],
  'a zip with a symbolic link': [() => zipOf({ l: '/etc/passwd' }, 0o120777), 'link'],
  'a zip with a name twice': [
    async () => renamed(await zipOf({ a1: 'x', a2: 'y' }), 'a2', 'a1'),
    'twice',
  ],
  'a tar with ../': [() => tarOf([[{ name: '../b' }, 'x']]), 'leads out'],
  'a tar with a/../../b': [() => tarOf([[{ name: 'a/../../b' }, 'x']]), 'leads out'],
  'a tar with an absolute name': [() => tarOf([[{ name: '/b' }, 'x']]), 'absolute'],
  'a tar with a drive': [() => tarOf([[{ name: 'C:/b' }, 'x']]), 'absolute'],
  'a tar with a backslash': [() => tarOf([[{ name: 'a\\b' }, 'x']]), "'/'"],
  'a tar with a symbolic link': [() => tarOf([link('symlink')]), 'symlink'],
  'a tar with a hard link': [() => tarOf([link('link')]), 'link'],
  'a tar with a device': [
    () => tarOf([[{ name: 'd', type: 'character-device' }]]),
    'character-device',
  ],
  'a tar with a name twice': [
    () =>
      tarOf([
        [{ name: 'a' }, 'x'],
        [{ name: './a' }, 'y'],
      ]),
    'twice',
  ],
  'a file that is a folder too': [
    () =>
      tarOf([
        [{ name: 'a' }, 'x'],
        [{ name: 'a/b' }, 'y'],
      ]),
    'a file and a folder',
  ],
};

test.each(Object.entries(refusals))('%s is refused', async (_, [make, why]) => {
  const archive = await make();

  await expect(unpacked(archive)).rejects.toMatchObject({
    code: 'ARCHIVE_INVALID',
    message: expect.stringContaining(why),
  });
});

const zeros = (bytes: number) => Buffer.alloc(bytes);
const bombs: Readonly<
  Record<string, readonly [() => Promise<Uint8Array>, Partial<ArchiveLimits>, string]>
> = {
  'a zip that expands too much': [
    () => zipOf({ 'a.bin': zeros(4e6) }),
    { ratioFrom: 1e6 },
    'expands more than 100 times',
  ],
  'a tar.gz that expands too much': [
    async () => gzipSync(await tarOf([[{ name: 'a' }, zeros(4e6)]])),
    { ratioFrom: 1e6 },
    'expands more than 100 times',
  ],
  'many files that expand too much together': [
    async () =>
      gzipSync(await tarOf(['a', 'b', 'c'].map((name) => [{ name }, zeros(5e5)] as const))),
    { ratioFrom: 1e6 },
    'expands more than 100 times',
  ],
  'too many bytes': [
    () => tarOf([[{ name: 'a' }, 'x'.repeat(900)]]),
    { totalBytes: 800 },
    '800 bytes',
  ],
  'one file too large': [
    () => tarOf([[{ name: 'a' }, 'x'.repeat(900)]]),
    { fileBytes: 800 },
    "'a'",
  ],
  'too many entries': [
    () => tarOf(['a', 'b', 'c'].map((name) => [{ name }, 'x'] as const)),
    { entries: 2 },
    '2 entries',
  ],
};

test.each(Object.entries(bombs))('%s is refused', async (_, [make, limits, why]) => {
  const archive = await make();

  await expect(unpacked(archive, limits)).rejects.toMatchObject({
    code: 'ARCHIVE_TOO_LARGE',
    message: expect.stringContaining(why),
  });
});

test('a zip that understates a size is stopped while it streams', async () => {
  const zip = await zipOf({ 'a.bin': zeros(200_000) });
  const lying = Buffer.from(zip);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(200_000);
  for (let at = lying.indexOf(size); at >= 0; at = lying.indexOf(size, at + 1))
    lying.writeUInt32LE(10, at);

  await expect(unpacked(lying)).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
});

test.each(['', 'top/'])(
  'an archive (names begin with "%s") has the id of its folder',
  async (top) => {
    const root = await testFolder();
    await writeTree(join(root, 'set'), {
      'data.yaml': 'train: images\nval: images\nnames: [cat]\n',
      'images/a.jpg': 'image',
      'labels/a.txt': '0 0.5 0.5 0.1 0.1\n',
    });
    const tar = pack();
    for (const file of await filesUnder(join(root, 'set')))
      tar.entry({ name: top + posixPath(join(root, 'set'), file) }, await readFile(file));
    tar.finalize();
    await pipeline(tar, createGzip(), createWriteStream(join(root, 'set.tgz')));
    await mkdir(join(root, 'out'));

    await extractArchive(join(root, 'set.tgz'), join(root, 'out'));

    const fromArchive = await openDataset(join(root, 'out'), { confined: true });
    expect(fromArchive.id).toBe((await openDataset(join(root, 'set'))).id);
  },
);
