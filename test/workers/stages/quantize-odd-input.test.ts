/** @file Models and images that `quantize` must not trip over: refused with a name, or done with a word about it. */

import { expect, test } from 'vitest';

import { checkModel } from '../../../workers/onnx/check.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { quantize } from '../../../workers/stages/quantize.ts';
import { modelOf, randomWeight, type Weight } from '../../helpers/tiny-model.ts';
import { options, quantizing } from './quantizing.ts';

const W = randomWeight([8, 3, 3, 3], 1);
const V = randomWeight([4, 8, 1, 1], 2);
const TWO_CONVS = 'H = Conv(X, W) R = Relu(H) Y = Conv(R, V)';

const twoConvs = (opset = 17, body = TWO_CONVS, weights: Record<string, Weight> = { W, V }) =>
  modelOf(
    `<ir_version: 8, opset_import: ["" : ${opset}]> g (float[1,3,32,32] X, float[8,3,3,3] W, float[4,8,1,1] V) => (float[1,4,30,30] Y) { ${body} }`,
    weights,
  );

const BRANCHES = `H = Conv(X, W) S = ReduceMax<keepdims=0>(H) Z = Sub(S, S) B = Equal(S, Z)
  R = If<then_branch: graph = t () => (float[1,8,30,30] A) { A = Relu(H) },
         else_branch: graph = e () => (float[1,8,30,30] E) { G = Identity(H) E = Conv<group=8>(G, D) }>(B)
  Y = Conv(R, V)`;

const inBranches = () =>
  modelOf(
    `<ir_version: 8, opset_import: ["" : 17]> g (float[1,3,32,32] X, float[8,3,3,3] W, float[4,8,1,1] V, float[8,1,1,1] D) => (float[1,4,30,30] Y) { ${BRANCHES} }`,
    { W, V, D: randomWeight([8, 1, 1, 1], 3) },
  );

const spoilt = (w: Weight, at: number, by: number): Weight => ({
  dims: w.dims,
  data: Float32Array.from(w.data, (x, i) => (i === at ? by : x)),
});

async function quantized(model: Model, given: object = {}, images = 10) {
  const { ctx, told } = await quantizing(model, undefined, images);
  const chosen = options(given);
  quantize.prepare!(model, chosen);
  const { model: made, details } = await quantize.run(model, chosen, ctx);
  checkModel(made);
  return { made, details, warnings: told.warnings };
}

const zeros = { dims: W.dims, data: new Float32Array(216) };
const half = '(float16[1,3,8,8] X) => (float16[1,1,8,8] Y) <float16[1,3,1,1] W = {1, 0.5, 0.25}>';
const double = '(double[1,3,8,8] X) => (double[1,1,8,8] Y) <double[1,3,1,1] W = {1, 0.5, 0.25}>';

const REFUSED: readonly [string, () => Model, object, string, RegExp][] = [
  [
    'an infinite weight',
    () => twoConvs(17, TWO_CONVS, { W: spoilt(W, 5, Number.POSITIVE_INFINITY), V }),
    {},
    'WEIGHT_NOT_FINITE',
    /'W'/,
  ],
  [
    'a model in float16',
    () => modelOf(`${half} { Y = Conv(X, W) }`, {}),
    {},
    'MODEL_NOT_FLOAT32',
    /'W' is float16/,
  ],
  [
    'a model in float64',
    () => modelOf(`${double} { Y = Conv(X, W) }`, {}),
    {},
    'MODEL_NOT_FLOAT32',
    /'W' is float64/,
  ],
  [
    'int4 for a model of Convs',
    () => twoConvs(),
    { precision: 'weights-int4' },
    'NOTHING_TO_QUANTIZE',
    /weights of a Conv are quantized by 'int8'/,
  ],
  [
    'a model without weights',
    () => twoConvs(17, 'Y = AveragePool<kernel_shape=[3,3]>(X)', {}),
    {},
    'NOTHING_TO_QUANTIZE',
    /Conv, ConvTranspose, Gemm or MatMul/,
  ],
];

test.each(REFUSED)('%s is refused by name', async (_, model, given, code, words) => {
  await expect(quantized(model(), given)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(words),
  });
});

test.each([
  [7, 'int8', 13],
  [11, 'int8', 13],
  [17, 'int8', 17],
  [11, 'int16', 21],
])('opset %i and precision %s: opset %i, no newer than need be', async (from, precision, to) => {
  const { made } = await quantized(twoConvs(from), { precision, profile: 'generic' });
  expect(made.opsets['']).toBe(to);
});

test('branches and loops: what stands inside them stays float and is listed', async () => {
  const { details } = await quantized(inBranches());
  expect(details['float']).toEqual([
    { tensor: 'E', op: 'Conv', reason: 'it stands in a branch or a loop' },
  ]);
  expect(details).toMatchObject({ convs: 2, fusedConvs: 2 });
});

test('weights of zeros, and the zero range behind them', async () => {
  const { details } = await quantized(twoConvs(17, TWO_CONVS, { W: zeros, V }));
  expect(details['float']).toMatchObject([{ tensor: 'H' }]);
});

test('one calibration image is enough to run and too few to trust', async () => {
  const { warnings } = await quantized(twoConvs(), {}, 1);
  expect(warnings).toEqual([expect.stringMatching(/Only 1 calibration image/)]);
});
