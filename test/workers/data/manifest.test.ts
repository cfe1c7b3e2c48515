import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { openDataset } from '../../../workers/data/open.ts';
import { testFolder, writeTree } from '../../helpers/image-folder.ts';

const files = {
  'data.yaml': 'train: images\nval: images\nnames: [cat]\n',
  'images/b.jpg': 'image',
  'images/a.jpg': 'image',
  'labels/a.txt': '0 0.5 0.5 0.1 0.1\n',
};

test('the id is what sha256sum, sort and sha256sum make of the files used', async () => {
  const root = await testFolder();
  await writeTree(root, { ...files, 'README.md': 'not used', 'labels/stray.txt': 'not used' });
  const command = `sha256sum ${Object.keys(files).join(' ')} | LC_ALL=C sort | sha256sum`;
  const expected = execFileSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' });

  expect((await openDataset(root)).id).toBe(`sha256:${expected.slice(0, 64)}`);
});

test('a data set in a top folder has the id that it has without', async () => {
  const root = await testFolder();
  await writeTree(join(root, 'plain'), files);
  await writeTree(
    join(root, 'packed'),
    Object.fromEntries(Object.entries(files).map(([name, content]) => [`top/${name}`, content])),
  );
  // The images' shades follow their names, so they are copied, not made twice.
  execFileSync('cp', ['-r', join(root, 'plain/images'), join(root, 'packed/top')]);

  expect((await openDataset(join(root, 'packed'))).id).toBe(
    (await openDataset(join(root, 'plain'))).id,
  );
});

test('one changed label changes the id', async () => {
  const root = await testFolder();
  await writeTree(root, files);
  const before = await openDataset(root);
  await writeTree(root, { 'labels/a.txt': '0 0.5 0.5 0.1 0.2\n' });

  expect((await openDataset(root)).id).not.toBe(before.id);
});
