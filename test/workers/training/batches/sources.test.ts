import { join } from 'node:path';
import { expect, test } from 'vitest';

import { type AugmentOptions, augmentOptions } from '../../../../workers/data/augment/options.ts';
import { DEFAULTS } from '../../../../workers/tasks/preprocess.ts';
import type { BatchPlan } from '../../../../workers/training/batches/messages.ts';
import { Sources } from '../../../../workers/training/batches/sources.ts';
import { plainImage, testFolder, writeTree } from '../../../helpers/image-folder.ts';

const ALL = augmentOptions(true) as AugmentOptions;

async function kept(
  [width, height]: readonly [number, number],
  task: BatchPlan['task'],
  resize: BatchPlan['preprocess']['resize'],
  augment: AugmentOptions | false = ALL,
) {
  const folder = await testFolder();
  await writeTree(folder, { 'a.png': await plainImage('png', [width, height]) });
  const plan: BatchPlan = {
    samples: [{ name: 'a.png', file: join(folder, 'a.png'), boxes: [] }],
    ...{ task, labels: 'none', classes: 0, batch: 1, seed: 0, totalSteps: 1, cacheBytes: 1e6 },
    preprocess: { ...DEFAULTS.letterbox, resize },
    input: { size: [60, 80], channels: 3, layout: 'NCHW' },
    augment,
  };
  const { image, fit } = await new Sources(plan).get(0);
  return [image.width, image.height, fit.width, fit.height];
}

test.each([
  ['as large as in the input', [160, 90], 'detect', 'letterbox', [80, 45, 80, 45]],
  ['small ones as they are', [40, 30], 'detect', 'letterbox', [40, 30, 80, 60]],
  ['each side for itself', [160, 30], 'detect', 'stretch', [80, 30, 80, 60]],
  ['half as large again for crops', [200, 150], 'classify', 'center-crop', [120, 90, 80, 60]],
  ['whole, where crops would enlarge', [100, 75], 'classify', 'center-crop', [100, 75, 80, 60]],
] as const)('images are kept %s', async (_, size, task, resize, expected) => {
  expect(await kept(size, task, resize)).toEqual(expected);
});

test('without augmentation the input itself is kept', async () => {
  expect(await kept([160, 90], 'detect', 'letterbox', false)).toEqual([80, 60, 80, 45]);
});
