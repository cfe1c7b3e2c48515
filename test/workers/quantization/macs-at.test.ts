/** @file Costs of a model with open axes, at the size that it is fed. */

import { expect, test } from 'vitest';

import { macsAt } from '../../../workers/quantization/macs-at.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const model = modelOf(
  '(float[n,3,h,w] X, float[8,3,3,3] W, float[2,8,1,1] V) => (float[n,2,a,b] Y) { H = Conv<pads=[1,1,1,1]>(X, W) Y = Conv(H, V) }',
  { W: randomWeight([8, 3, 3, 3], 1), V: randomWeight([2, 8, 1, 1], 2) },
);

test('open axes count as what the images have', async () => {
  const macs = await macsAt(model, { X: [1, 3, 20, 10] });

  expect([...macs.values()]).toEqual([200 * 8 * 27, 200 * 2 * 8]);
  expect([...macs.keys()]).toEqual(model.graph.nodes);
});

test('the batch does not count', async () => {
  const macs = await macsAt(model, { X: [4, 3, 20, 10] });

  expect([...macs.values()]).toEqual([200 * 8 * 27, 200 * 2 * 8]);
});
