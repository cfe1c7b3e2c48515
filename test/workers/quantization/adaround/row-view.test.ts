/** @file Products as rows: rows times patches are what the runtime computes. */

import { expect, test } from 'vitest';

import { floatsOf } from '../../../../workers/onnx/values.ts';
import { rowViewOf } from '../../../../workers/quantization/adaround/row-view.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../../workers/runtime/session.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

const products: Record<string, readonly [text: string, weight: readonly number[]]> = {
  'Conv, padded': [
    '(float[2,3,7,6] X, float[4,3,3,3] W) => (float[2,4,7,6] Y) { Y = Conv<pads=[1,1,1,1]>(X, W) }',
    [4, 3, 3, 3],
  ],
  'Conv, strided, dilated, uneven': [
    '(float[1,2,9,11] X, float[3,2,2,3] W) => (float[1,3,a,b] Y) { Y = Conv<pads=[0,2,1,1], strides=[2,3], dilations=[2,1]>(X, W) }',
    [3, 2, 2, 3],
  ],
  'Conv in groups': [
    '(float[1,6,5,5] X, float[4,3,3,3] W) => (float[1,4,5,5] Y) { Y = Conv<group=2, pads=[1,1,1,1]>(X, W) }',
    [4, 3, 3, 3],
  ],
  'Conv, depth-wise': [
    '(float[1,4,5,5] X, float[4,1,3,3] W) => (float[1,4,3,3] Y) { Y = Conv<group=4>(X, W) }',
    [4, 1, 3, 3],
  ],
  MatMul: ['(float[2,3,5] X, float[5,4] W) => (float[2,3,4] Y) { Y = MatMul(X, W) }', [5, 4]],
  Gemm: ['(float[3,5] X, float[5,4] W) => (float[3,4] Y) { Y = Gemm(X, W) }', [5, 4]],
  'Gemm, weight transposed': [
    '(float[3,5] X, float[4,5] W) => (float[3,4] Y) { Y = Gemm<transB=1>(X, W) }',
    [4, 5],
  ],
};

test.each(Object.entries(products))('%s', async (_, [text, dims]) => {
  const model = modelOf(text, { W: randomWeight(dims, 1) });
  const [node] = model.graph.nodes;
  const weight = node!.inputs[1]!.constant!;
  const view = rowViewOf(node!, dims)!;
  const feeds = randomInputs(model, 1);
  const { Y } = await (await openSession(model)).run(feeds);
  const x = feeds['X']!;
  const shapes = { x: x.dims, y: Y!.dims };
  const w = floatsOf(weight);
  const { groups, rows, taps } = view;
  const patch = new Float32Array(taps);
  const expected = new Float32Array(rows);

  expect(view.positions(Y!.dims) * groups * rows).toBe(Y!.data.length);
  for (let p = 0; p < view.positions(Y!.dims); p++)
    for (let g = 0; g < groups; g++) {
      view.patch(x.data as Float32Array, shapes, p, g, patch, 0);
      view.outputs(Y!.data as Float32Array, Y!.dims, p, g, expected, 0);
      for (let m = 0; m < rows; m++) {
        const first = (g * rows + m) * taps;
        const sum = patch.reduce((s, v, k) => s + v * w[view.weightAt(first + k)]!, 0);
        expect(sum).toBeCloseTo(expected[m]!, 4);
      }
    }
});

test.each([
  ['automatic padding', 'Conv<auto_pad="SAME_UPPER">(X, W)', [2, 2, 3, 3]],
  ['a scaled Gemm', 'Gemm<alpha=2.0>(X, W)', [5, 4]],
] as const)('%s has no view', (_, call, dims) => {
  const x = dims.length === 4 ? 'float[1,2,5,5] X' : 'float[3,5] X';
  const model = modelOf(`(${x}, float[${dims}] W) => (float[a,b] Y) { Y = ${call} }`, {
    W: randomWeight(dims, 1),
  });

  expect(rowViewOf(model.graph.nodes[0]!, dims)).toBeUndefined();
});
