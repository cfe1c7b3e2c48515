/** @file What inspection says of channels that can be cut. */

import { expect, test } from 'vitest';

import { inspectGroups } from '../../../workers/inspection/groups.ts';
import { inspectModel } from '../../../workers/inspection/model.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const twoConvs = (batch: string | number): Model =>
  modelOf(
    `<ir_version: 8, opset_import: ["" : 17]>
    g (float[${batch},3,8,8] x, float[6,3,1,1] a, float[6] b, float[4,6,3,3] c) => (float[${batch},4,6,6] y) {
      h = Conv(x, a, b)  r = Relu(h)  y = Conv(r, c)
    }`,
    { a: randomWeight([6, 3, 1, 1], 1), b: randomWeight([6], 2), c: randomWeight([4, 6, 3, 3], 3) },
  );

test('members, couplings and cost of each group, and what cannot be cut', async () => {
  expect(await inspectGroups(twoConvs(1))).toEqual({
    groups: [
      {
        id: 'h',
        channels: 6,
        perChannel: { params: 3 + 1 + 4 * 9, macs: 3 * 64 + 4 * 9 * 36 },
        producers: ['Conv_0'],
        consumers: ['Conv_2'],
        tensors: [
          { name: 'a', axis: 0 },
          { name: 'b', axis: 0 },
          { name: 'c', axis: 1 },
          { name: 'h', axis: 1 },
          { name: 'r', axis: 1 },
        ],
        why: ["Conv 'Conv_0' makes them", "Conv 'Conv_2' takes them in"],
      },
    ],
    refused: [
      {
        tensor: 'y',
        axis: 1,
        node: null,
        op: null,
        reason: "it belongs to the graph output 'y'",
      },
    ],
  });
});

test('the inspection of a model counts them', async () => {
  const { pruning } = await inspectModel(writeModel(twoConvs(1)), 'm.onnx');
  expect(pruning).toMatchObject({ groups: 1, channels: 6, refused: [{ tensor: 'y' }] });
});

test('open axes are named, with what fixes them', async () => {
  expect(await inspectGroups(twoConvs('batch'))).toEqual({
    why: expect.stringMatching(/'x'.*\[batch, 3, 8, 8\].*inputShape/),
  });
});
