import { join } from 'node:path';
import { expect, test } from 'vitest';

import { labelFile, parseLabels } from '../../../workers/data/labels.ts';
import { openDataset } from '../../../workers/data/open.ts';
import { testFolder, writeTree } from '../../helpers/image-folder.ts';

const rules = { classCount: 3, keypointValues: 0 };

const valid: Readonly<Record<string, readonly [string, readonly (readonly number[])[]]>> = {
  empty: ['', []],
  'blank lines and spaces': ['\n  0 0.5 0.5 0.1 0.2  \n\n', [[0, 0.5, 0.5, 0.1, 0.2]]],
  'Windows lines, tabs and a byte order mark': [
    '\uFEFF0\t0.5\t0.5\t0.1\t0.2\r\n1 .5 5e-1 0.1 0.2\r\n',
    [
      [0, 0.5, 0.5, 0.1, 0.2],
      [1, 0.5, 0.5, 0.1, 0.2],
    ],
  ],
  'a class written as 2.0': ['2.0 0.5 0.5 1 1', [[2, 0.5, 0.5, 1, 1]]],
  'a polygon': ['1 0.1 0.2 0.5 0.2 0.3 0.6', [[1, 0.3, 0.4, 0.4, 0.4]]],
  'a little outside': ['0 1.01 0.5 0.1 0.2', [[0, 1, 0.5, 0.1, 0.2]]],
  'zero width': ['0 0.5 0.5 0 0.2\n0 0.5 0.5 0.1 0.2', [[0, 0.5, 0.5, 0.1, 0.2]]],
};

test.each(Object.entries(valid))('%s is read', (_, [text, rows]) => {
  const labels = parseLabels(text, rules);

  expect(labels.problems).toEqual([]);
  expect(labels.rows.map((row) => row.map((v) => Number(v.toFixed(9))))).toEqual(rows);
});

test('clipped and empty boxes are counted', () => {
  expect(parseLabels('0 1.01 0.5 0.1 0.2\n0 0.5 0.5 0 0.1', rules)).toMatchObject({
    clipped: 1,
    empty: 1,
  });
});

test('keypoints after the box are left out where the data set declares them', () => {
  const row = '0 0.5 0.5 0.1 0.2 0.3 0.3 2 0.4 0.4 1';

  expect(parseLabels(row, { ...rules, keypointValues: 6 }).rows).toEqual([[0, 0.5, 0.5, 0.1, 0.2]]);
});

const invalid: Readonly<Record<string, readonly [string, string, string]>> = {
  'a class that does not exist': ['3 0.5 0.5 0.1 0.2', 'class 3', '0 to 2'],
  'a negative class': ['-1 0.5 0.5 0.1 0.2', 'class -1', '0 to 2'],
  'half a class': ['0.5 0.5 0.5 0.1 0.2', 'class 0.5', '0 to 2'],
  NaN: ['0 nan 0.5 0.1 0.2', "'nan' as value 2", 'finite'],
  infinity: ['0 0.5 0.5 inf 0.2', "'inf' as value 4", 'finite'],
  'a word': ['cat 0.5 0.5 0.1 0.2', "'cat' as value 1", 'finite'],
  pixels: ['0 320 240 50 60', '320 as value 2', 'from 0 to 1'],
  'a negative size': ['0 0.5 0.5 -0.01 0.2', 'width -0.01', 'from 0 to 1'],
  'four values': ['0 0.5 0.5 0.1', '4 values', 'class cx cy w h'],
  'six values': ['0 0.5 0.5 0.1 0.2 0.9', '6 values', 'class cx cy w h'],
};

test.each(Object.entries(invalid))('%s is a problem of its line', (_, [row, found, says]) => {
  const { problems } = parseLabels(`0 0.5 0.5 0.1 0.1\n${row}\n`, rules);

  expect(problems).toEqual([
    { line: 2, found: expect.stringContaining(found), valid: expect.stringContaining(says) },
  ]);
});

test('a data set with bad labels names file and line, and counts the others', async () => {
  const root = await testFolder();
  await writeTree(root, {
    'data.yaml': 'train: images\nval: images\nnames: [cat]\n',
    'images/1.jpg': 'image',
    'images/2.jpg': 'image',
    'labels/1.txt': '0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n',
    'labels/2.txt': '0 NaN 0.5 0.1 0.1\n',
  });

  await expect(openDataset(root)).rejects.toMatchObject({
    code: 'LABEL_INVALID',
    facts: { file: 'labels/1.txt', line: 2, found: 'class 1', more: 1 },
  });
});

test.each([
  ['set/images/train/a.jpg', 'set/labels/train/a.txt'],
  ['images/x/images/a.b.png', 'images/x/labels/a.b.txt'],
  ['set/a.jpg', 'set/a.txt'],
])('labels of %s are in %s', (image, label) => {
  expect(labelFile(join('/', image))).toBe(join('/', label));
});
