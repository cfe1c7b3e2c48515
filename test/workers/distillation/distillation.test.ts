/** @file A student beside its teacher, on real images: it learns, with labels and without, repeats itself and resumes. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Sample } from '../../../workers/data/dataset.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { testFolder } from '../../helpers/image-folder.ts';
import { squares } from '../../helpers/squares.ts';
import { curve, taught } from './taught.ts';

let images: Sample[];
let bare: Sample[];
beforeAll(async () => {
  images = await squares(await mkdtemp(join(tmpdir(), 'lathe-distill-')), 11);
  bare = images.map(({ name, file }) => ({ name, file }));
});

const length = (steps: number) => ({ length: { steps } });

describe('without labels', () => {
  test('the teacher is all there is, and the student comes to agree with it', async () => {
    const { result, told, signals } = await taught(bare, {
      settings: { ...length(30), lr: 0.003 },
    });
    expect(result).toMatchObject({ loss: 'none', metric: 'agreement' });
    expect(signals.map((s) => s.kind)).toEqual(['logit-bce', 'box-distribution']);
    const distances = curve(told, 'box-distribution');
    expect(distances.at(-1)! / distances[0]!).toBeLessThan(0.5);
  });
});
