import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import type { Dataset } from '../../../workers/data/dataset.ts';
import { openDataset } from '../../../workers/data/open.ts';
import { testFolder, writeTree } from '../../helpers/image-folder.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

const box = '0 0.5 0.5 0.2 0.2\n';
const names = (dataset: Dataset) => ({
  train: dataset.splits.train.map((s) => s.name),
  val: dataset.splits.val.map((s) => s.name),
  test: dataset.splits.test.map((s) => s.name),
});

async function opened(files: Files, at = '.', options = {}): Promise<Dataset> {
  const root = await testFolder();
  await writeTree(root, files);
  return openDataset(join(root, at), options);
}

const yolo = {
  'images/a/1.jpg': 'image',
  'images/a/2.jpg': 'image',
  'images/b/3.jpg': 'image',
  'labels/a/1.txt': box,
  'labels/b/3.txt': '1 0.1 0.1 0.1 0.1\n',
};
const flatNames = 'names: [cat, dog]\n';

const layouts: Readonly<Record<string, Files>> = {
  'splits as folders': { ...yolo, 'data.yaml': `train: images/a\nval: images/b\n${flatNames}` },
  'names as a map, nc beside it': {
    ...yolo,
    'data.yaml': 'train: images/a\nval: images/b\nnc: 2\nnames: {0: cat, 1: dog}\n',
  },
  'splits as .txt lists': {
    ...yolo,
    'data.yaml': `train: train.txt\nval: val.txt\n${flatNames}`,
    'train.txt': './images/a/1.jpg\nimages/a/2.jpg\n\n',
    'val.txt': './images/b/3.jpg\r\n',
  },
  'splits as lists of folders and lists': {
    ...yolo,
    'data.yaml': `train: [images/a, train.txt]\nval: [images/b]\n${flatNames}`,
    'train.txt': './images/a/1.jpg\n',
  },
  "an exporter's ../ before every split": {
    ...yolo,
    'data.yaml': `train: ../images/a\nval: ../images/b\n${flatNames}`,
  },
  'a path of another machine': {
    ...yolo,
    'data.yaml': `path: /data/sets/cats\ntrain: images/a\nval: images/b\n${flatNames}`,
  },
  'the YAML called otherwise': {
    ...yolo,
    'cats.yaml': `train: images/a\nval: images/b\n${flatNames}`,
  },
  'everything in one top folder': Object.fromEntries(
    Object.entries({ ...yolo, 'data.yaml': `train: images/a\nval: images/b\n${flatNames}` }).map(
      ([name, content]) => [`cats/${name}`, content],
    ),
  ),
};

test.each(Object.entries(layouts))('data.yaml, %s', async (_, files) => {
  const dataset = await opened(files);

  expect(dataset).toMatchObject({ task: 'detect', classes: ['cat', 'dog'] });
  expect(names(dataset)).toEqual({
    train: ['images/a/1.jpg', 'images/a/2.jpg'],
    val: ['images/b/3.jpg'],
    test: [],
  });
  expect(dataset.splits.train.map((s) => s.boxes)).toEqual([[[0, 0.5, 0.5, 0.2, 0.2]], []]);
  expect(dataset.warnings).toEqual(['1 of 3 images have no label file: they count as background.']);
});

test('a data.yaml elsewhere finds its images by path', async () => {
  const dataset = await opened(
    {
      ...Object.fromEntries(Object.entries(yolo).map(([k, v]) => [`set/${k}`, v])),
      'config/data.yaml': `path: ../set\ntrain: images/a\nval: images/b\n${flatNames}`,
    },
    'config/data.yaml',
  );

  expect(names(dataset).train).toEqual(['images/a/1.jpg', 'images/a/2.jpg']);
});

test('images and labels without splits: every fifth in name order is val', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 11 }, (_, i) => String(i).padStart(2, '0')).flatMap((n) => [
      [`images/${n}.jpg`, 'image'],
      [`labels/${n}.txt`, box],
    ]),
  );

  const dataset = await opened({ ...files, 'classes.txt': 'raccoon\n' });

  expect(dataset).toMatchObject({ task: 'detect', classes: ['raccoon'], warnings: [] });
  expect(names(dataset).val).toEqual(['images/04.jpg', 'images/09.jpg']);
  expect(dataset.splits.train).toHaveLength(9);
});

test('YOLO folders by split, without a YAML', async () => {
  const dataset = await opened({
    'train/images/1.jpg': 'image',
    'train/labels/1.txt': box,
    'valid/images/2.jpg': 'image',
    'valid/labels/2.txt': '',
    'classes.txt': 'cat\n',
  });

  expect(names(dataset)).toEqual({
    train: ['train/images/1.jpg'],
    val: ['valid/images/2.jpg'],
    test: [],
  });
});

const classFolders: Readonly<Record<string, Files>> = {
  'under splits': {
    'train/cat/1.jpg': 'image',
    'train/dog/2.png': 'image',
    'val/dog/3.webp': 'image',
    'test/cat/4.jpg': 'image',
  },
  'in a top folder': {
    'set/train/cat/1.jpg': 'image',
    'set/train/dog/2.png': 'image',
    'set/val/dog/3.webp': 'image',
    'set/test/cat/4.jpg': 'image',
  },
};

test.each(Object.entries(classFolders))('class folders %s', async (_, files) => {
  const dataset = await opened(files);

  expect(dataset).toMatchObject({ task: 'classify', classes: ['cat', 'dog'] });
  expect(dataset.splits.train.map((s) => [s.name, s.label])).toEqual([
    ['train/cat/1.jpg', 0],
    ['train/dog/2.png', 1],
  ]);
  expect(dataset.splits.val.map((s) => s.label)).toEqual([1]);
});

test('class folders without splits', async () => {
  const files = ['a', 'b'].flatMap((c) =>
    [1, 2, 3].map((i) => [`${c}/${i}.jpg`, 'image'] as const),
  );

  const dataset = await opened(Object.fromEntries(files));

  expect(dataset).toMatchObject({ task: 'classify', classes: ['a', 'b'] });
  expect(names(dataset).val).toEqual(['b/2.jpg']);
});

test('images alone', async () => {
  const dataset = await opened({
    'a.jpg': 'image',
    'b.PNG': 'image',
    'c.tiff': 'not looked at',
    '.hidden.jpg': 'image',
  });

  expect(dataset).toMatchObject({ task: 'generic', classes: undefined });
  expect(names(dataset)).toEqual({ train: ['a.jpg'], val: ['b.PNG'], test: [] });
  expect(dataset.splits.train[0]).not.toHaveProperty('boxes');
  expect(dataset.warnings.join()).toContain('1 images were left out');
});

test('the images of a labelled set, opened alone, are images alone', async () => {
  const dataset = await opened({ ...yolo, 'data.yaml': '{}' }, 'images/a');

  expect(dataset.task).toBe('generic');
  expect(names(dataset)).toEqual({ train: ['1.jpg'], val: ['2.jpg'], test: [] });
});

test.each([
  ['train', 'valid', 'test'],
  ['train2017', 'val2017', 'test2017'],
  ['Training', 'validation', 'testing'],
])('images alone in folders %s, %s, %s are splits', async (train, val, testing) => {
  const dataset = await opened({
    [`${train}/1.jpg`]: 'image',
    [`${val}/2.jpg`]: 'image',
    [`${testing}/3.jpg`]: 'image',
  });

  expect(dataset.task).toBe('generic');
  expect(names(dataset)).toEqual({
    train: [`${train}/1.jpg`],
    val: [`${val}/2.jpg`],
    test: [`${testing}/3.jpg`],
  });
});

test('links in a folder are followed', async () => {
  const root = await testFolder();
  await writeTree(root, { 'store/1.jpg': 'image', 'store/2.jpg': 'image' });
  await mkdir(join(root, 'set'));
  await symlink(join(root, 'store'), join(root, 'set/images'));

  expect(names(await openDataset(join(root, 'set'))).train).toEqual(['images/1.jpg']);
});

test('train images in val are pointed out', async () => {
  const dataset = await opened({
    ...yolo,
    'data.yaml': `train: images\nval: images/b\n${flatNames}`,
  });

  expect(dataset.warnings.join()).toContain('1 of the 1 val images are train images too');
});

const invalid: Readonly<Record<string, readonly [Files, string]>> = {
  'nothing there': [{}, 'no JPEG, PNG or WebP image'],
  'no YAML in the YAML': [{ ...yolo, 'data.yaml': 'a: [' }, 'is not YAML'],
  'a YAML that is a list': [{ ...yolo, 'data.yaml': '- a\n' }, 'found no fields'],
  'a split that does not exist': [
    { ...yolo, 'data.yaml': `train: images/c\n${flatNames}` },
    "'images/c' does not exist",
  ],
  'a listed image that does not exist': [
    {
      ...yolo,
      'data.yaml': `train: t.txt\n${flatNames}`,
      't.txt': 'images/a/1.jpg\nimages/9.jpg\n',
    },
    't.txt, line 2',
  ],
  'nc that contradicts names': [
    { ...yolo, 'data.yaml': `train: images/a\nnc: 3\n${flatNames}` },
    'it says 3 classes, names has 2',
  ],
  'names with a gap': [
    { ...yolo, 'data.yaml': 'train: images/a\nnames: {0: a, 2: b}\n' },
    "the key '2'; valid are 0 to 1",
  ],
  'no names': [{ ...yolo, 'data.yaml': 'train: images/a\n' }, 'names: it is missing'],
  'a split that is a number': [
    { ...yolo, 'data.yaml': `train: 5\n${flatNames}` },
    'data.yaml, train',
  ],
  'no image in any split': [
    { ...yolo, 'data.yaml': `train: labels\n${flatNames}` },
    'it names no image',
  ],
  'images in and outside split folders': [
    { 'train/a.jpg': 'image', 'b.jpg': 'image' },
    'b.jpg: it lies outside the split folders',
  ],
};

test.each(Object.entries(invalid))('%s is refused by name', async (_, [files, why]) => {
  await expect(opened(files)).rejects.toMatchObject({
    code: 'DATASET_INVALID',
    message: expect.stringContaining(why),
  });
});

const leaks: Readonly<Record<string, Files>> = {
  'an absolute split': { 'data.yaml': `train: /etc\n${flatNames}` },
  'a split above the archive': { 'data.yaml': `train: ../../elsewhere\n${flatNames}` },
  'a listed image above the archive': {
    'data.yaml': `train: t.txt\n${flatNames}`,
    't.txt': '../../other.jpg\n',
  },
};

test.each(Object.entries(leaks))('inside an archive, %s is refused', async (_, files) => {
  await expect(opened({ ...yolo, ...files }, '.', { confined: true })).rejects.toMatchObject({
    code: 'DATASET_INVALID',
  });
});

test("inside an archive, data.yaml's path is ignored", async () => {
  const dataset = await opened(
    { ...yolo, 'data.yaml': `path: /\ntrain: images/a\nval: images/b\n${flatNames}` },
    '.',
    { confined: true },
  );

  expect(dataset.splits.train).toHaveLength(2);
});
