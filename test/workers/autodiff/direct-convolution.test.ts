/** @file The weight gradient of a Conv as one Conv, against that by patches. */

import { expect, test } from 'vitest';

import { backward } from '../../../workers/autodiff/backward.ts';
import { directConv, isDirect } from '../../../workers/autodiff/rules/direct-convolution.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { canonical } from '../../../workers/training/canonical.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

/** X, W, attributes, Y, whether a block of 8 channels suits it. */
const CASES: [string, number[], number[], string, number[], boolean][] = [
  ['uneven pads', [3, 4, 5, 6], [8, 4, 3, 2], 'pads = [1, 0, 2, 1]', [3, 8, 6, 6], true],
  ['no pads', [2, 4, 5, 5], [16, 4, 3, 3], '', [2, 16, 3, 3], true],
  ['stride 2', [2, 4, 5, 5], [8, 4, 3, 3], 'strides = [2, 2]', [2, 8, 2, 2], true],
  [
    'strides that leave a border, dilations, pads',
    [2, 4, 10, 9],
    [8, 4, 3, 2],
    'strides = [3, 2], dilations = [2, 3], pads = [1, 2, 0, 1]',
    [2, 8, 3, 5],
    true,
  ],
  ['groups', [2, 4, 5, 5], [8, 2, 3, 3], 'group = 2', [2, 8, 3, 3], false],
  ['one tap', [2, 4, 5, 5], [8, 4, 1, 1], '', [2, 8, 5, 5], false],
  ['outputs beside blocks', [2, 4, 5, 5], [6, 4, 3, 3], '', [2, 6, 3, 3], false],
  ['batch of a block', [8, 4, 5, 5], [8, 4, 3, 3], '', [8, 8, 3, 3], false],
];

test.for(CASES)('%s', async ([, x, w, attributes, y, suits]) => {
  const text = `(float[${x}] x, float[${w}] w, float[${y}] d) => (float[${y}] y) {
    y = Conv<${attributes}>(x, w) }`;
  const gradients: number[][] = [];
  for (const direct of [false, true]) {
    const { graph, ...rest } = await canonical(modelOf(text, {}));
    const [, weight, gradient] = graph.inputs;
    expect(isDirect(graph.nodes[0]!, 8)).toBe(suits);
    if (!suits) return;
    const seed = { value: graph.outputs[0]!, gradient: gradient! };
    const ruleOf = () => (direct ? directConv : undefined);
    graph.outputs = backward(graph, [seed], [weight!], { g: new GraphBuilder(graph), ruleOf });
    const session = await openSession({ ...rest, graph });
    const feed = (dims: number[], k: number) => ({
      dims,
      data: Float32Array.from(randomWeight(dims, k).data),
    });
    const results = await session.run({ x: feed(x, 1), w: feed(w, 2), d: feed(y, 3) });
    await session.release();
    gradients.push([...Object.values(results)[0]!.data].map(Number));
  }
  const [patches, one] = gradients;
  expect(one).toHaveLength(patches!.length);
  for (const [i, v] of one!.entries()) expect(v).toBeCloseTo(patches![i]!, 4);
});
