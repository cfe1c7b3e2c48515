/** @file Gradients that are defined, not derived: rounding passes them on, dropped places stop them. */

import { expect, test } from 'vitest';

import { gradientsAt } from './gradients-at.ts';

const X = [-3.1, -1.02, -0.4, 0.26, 0.9, 2.75];

/** Fake quantization: dx = 1 where the code fits, 0 where it saturates. */
test.each<[string, constants: string, attributes: string, expected: number[]]>([
  ['uint8', 'float[] s = {0.01}, uint8[] z = {128}', '', [0, 1, 1, 1, 1, 0]],
  ['int8', 'float[] s = {0.02}, int8[] z = {0}', '', [0, 1, 1, 1, 1, 0]],
  ['uint8 without a zero point', 'float[] s = {0.01}', '', [0, 0, 0, 1, 1, 0]],
  ['int16', 'float[] s = {0.0001}, int16[] z = {0}', '', [1, 1, 1, 1, 1, 1]],
  ['int16 saturated', 'float[] s = {0.00005}, int16[] z = {0}', '', [0, 1, 1, 1, 1, 0]],
  ['int4', 'float[] s = {0.25}, int4[] z = {"00"}', '', [0, 1, 1, 1, 1, 0]],
  [
    'int8 per row',
    'float[2] s = {0.02, 0.01}, int8[2] z = {0, 10}',
    '<axis=0>',
    [0, 1, 1, 1, 1, 0],
  ],
  [
    'int8 per column, negative axis',
    'float[3] s = {0.05, 0.01, 0.02}, int8[3] z = {0, 0, 0}',
    '<axis=-1>',
    [1, 1, 1, 1, 1, 0],
  ],
  [
    'int8 in blocks of 2, the last one cut',
    'float[2,2] s = {0.02, 0.02, 0.01, 0.02}, int8[2,2] z = {0, 0, 0, 0}',
    '<axis=1, block_size=2>',
    [0, 1, 1, 1, 1, 0],
  ],
  [
    'int8, one scale in a list',
    'float[1] s = {0.02}, int8[1] z = {0}',
    '<axis=0>',
    [0, 1, 1, 1, 1, 0],
  ],
])('fake quantization to %s', async (_, constants, attributes, expected) => {
  const inputs = constants.includes(' z = ') ? 's, z' : 's';
  // The runtime states no type of a 4-bit value.
  const q = constants.includes('int4') ? 'q:int4[2,3]' : 'q';
  const { x } = await gradientsAt(
    {
      inputs: 'float[2,3] x',
      constants,
      nodes: `${q} = QuantizeLinear${attributes}(x, ${inputs}) y = DequantizeLinear${attributes}(q, ${inputs})`,
    },
    { x: X },
  );

  expect(x!.map((v) => Math.round(v * 1e4) / 1e4)).toEqual(expected);
});

test.each([
  ['one scale', 'float[] s', [0.1], 'int8[] z = {3}', '', [-3]],
  ['scale per row', 'float[2] s', [0.1, 0.2], 'int8[2] z = {3, 1}', '<axis=0>', [-6, 9]],
  ['scale per column', 'float[3] s', [1, 2, 3], 'int8[3] z = {0, 1, 0}', '<axis=1>', [3, 3, 7]],
  [
    'scale per block of 2',
    'float[2,2] s',
    [1, 2, 3, 4],
    'int8[2,2] z = {0, 0, 0, 1}',
    '<axis=1, block_size=2>',
    [1, 2, 7, 4],
  ],
] as const)(
  'DequantizeLinear gives its scale a gradient: %s',
  async (_, s, values, z, attributes, expected) => {
    const gradients = await gradientsAt(
      {
        inputs: s,
        constants: `int8[2,3] q = {0, 1, 2, 3, 4, 5}, ${z}`,
        nodes: `y = DequantizeLinear${attributes}(q, s, z)`,
      },
      { s: [...values] },
    );

    expect(gradients['s']).toEqual(expected);
  },
);

test('Dropout in training stops the gradient where it dropped', async () => {
  const { x, y } = await gradientsAt(
    {
      inputs: 'float[8,8] x',
      constants: 'float[] ratio = {0.5}, bool[] training = {1}',
      nodes: 'y = Dropout<seed=3>(x, ratio, training)',
    },
    { x: new Array(64).fill(1.5) },
  );

  expect(new Set(y)).toEqual(new Set([0, 3]));
  expect(x).toEqual(y!.map((v) => v / 1.5));
});

test('MaxPool gives a tie to the first in row-major order, ReduceMax and Max share it', async () => {
  const values = { x: [1, 1, 1, 1] };
  const at = async (nodes: string) =>
    (await gradientsAt({ inputs: 'float[1,1,2,2] x', nodes }, values))['x'];

  expect(await at('y = MaxPool<kernel_shape=[2,2]>(x)')).toEqual([1, 0, 0, 0]);
  const large = { x: new Array(36).fill(1) };
  const tied = await gradientsAt(
    { inputs: 'float[1,1,6,6] x', nodes: 'y = MaxPool<kernel_shape=[5,5], strides=[5,5]>(x)' },
    large,
  );
  expect(tied['x']).toEqual([1, ...new Array(35).fill(0)]);
  expect(await at('y = GlobalMaxPool(x)')).toEqual([1, 0, 0, 0]);
  expect(await at('y = ReduceMax(x)')).toEqual([0.25, 0.25, 0.25, 0.25]);
  expect(await at('y = Max(x, x)')).toEqual([1, 1, 1, 1]);
});

/** Where the derivative is infinite or undefined, training must not meet NaN. */
test.each([
  ['LpNormalization of zeros', 'y = LpNormalization(x)', [0, 0, 0], [0, 0, 0]],
  ['ReduceL2 of zeros', 'y = ReduceL2(x)', [0, 0, 0], [0, 0, 0]],
  ['Abs at 0', 'y = Abs(x)', [0, 1, -1], [0, 1, -1]],
  ['Relu at 0', 'y = Relu(x)', [0, 1, -1], [0, 1, 0]],
  ['Elu far above 0', 'y = Elu(x)', [200, 0, 1], [1, 1, 1]],
  ['Celu far above 0', 'y = Celu(x)', [200, 0, 1], [1, 1, 1]],
  ['Softplus far out', 'y = Softplus(x)', [200, -200, 0], [1, 0, 0.5]],
  ['Mish far out', 'y = Mish(x)', [200, -200, 200], [1, 0, 1]],
  ['Sigmoid far out', 'y = Sigmoid(x)', [200, -200, 0], [0, 0, 0.25]],
  ['Gelu far out', 'y = Gelu(x)', [200, -200, 0], [1, 0, 0.5]],
  ['Softmax far out', 's = Softmax(x) y = Mul(s, x)', [0, 0, 200], [0, 0, 1]],
] as const)('%s has the gradient of its limit', async (_, nodes, at, expected) => {
  const { x } = await gradientsAt({ inputs: 'float[3] x', nodes }, { x: at });

  expect(x!.map((v) => v + 0)).toEqual(expected);
});
