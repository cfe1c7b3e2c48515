/** @file com.microsoft fusions. */

import type { GradientCase } from '../gradient-case.ts';

const fused = (inputs: string, nodes: string, more: Partial<GradientCase> = {}): GradientCase => ({
  inputs,
  nodes: nodes.replace('= ', '= com.microsoft.'),
  forward: 'single',
  ...more,
});

const SMALL = { from: -1.2, to: 1.2 };
const conv = (activation: string, more: Partial<GradientCase> = {}) =>
  fused(
    'float[1,2,3,3] x, float[2,2,3,3] w, float[2] b',
    `y = FusedConv<pads=[1,1,1,1], ${activation}>(x, w, b)`,
    { values: { x: SMALL, w: SMALL, b: [0.31, -0.23] }, ...more },
  );
const skip = (call: string, inputs: string, outputs = 'y') =>
  fused(inputs, `${outputs} = ${call}`, { outputs: outputs.replaceAll('"", ', '') });

export const FUSED: Readonly<Record<string, GradientCase>> = {
  Gelu: fused('float[2,3] x', 'y = Gelu(x)'),
  QuickGelu: fused('float[2,3] x', 'y = QuickGelu(x)'),
  'QuickGelu alpha': fused('float[2,3] x', 'y = QuickGelu<alpha=1.1>(x)'),
  BiasGelu: fused('float[2,3] x, float[3] b', 'y = BiasGelu(x, b)'),
  FastGelu: fused('float[2,3] x', 'y = FastGelu(x)'),
  'FastGelu bias': fused('float[2,3] x, float[3] b', 'y = FastGelu(x, b)'),
  'FusedConv Sigmoid': conv('activation="Sigmoid"'),
  'FusedConv Tanh': conv('activation="Tanh"'),
  'FusedConv Relu': conv('activation="Relu"', { forward: 'kinked' }),
  'FusedConv LeakyRelu': conv('activation="LeakyRelu", activation_params=[0.2]', {
    forward: 'kinked',
  }),
  'FusedConv Clip': conv('activation="Clip", activation_params=[-1.0, 2.0]', { forward: 'kinked' }),
  'FusedConv HardSigmoid': conv('activation="HardSigmoid", activation_params=[0.3, 0.5]', {
    forward: 'kinked',
  }),
  'FusedConv sum': fused(
    'float[1,2,3,3] x, float[2,2,1,1] w, float[2] b, float[1,2,3,3] z',
    'y = FusedConv<activation="Sigmoid">(x, w, b, z)',
  ),
  'FusedConv no activation': fused('float[1,2,3,3] x, float[2,2,1,1] w', 'y = FusedConv(x, w)'),
  'FusedGemm Relu': fused(
    'float[2,3] a, float[4,3] b, float[4] c',
    'y = FusedGemm<transB=1, alpha=0.8, activation="Relu">(a, b, c)',
    { forward: 'kinked' },
  ),
  'FusedGemm LeakyRelu': fused(
    'float[2,3] a, float[3,4] b, float[4] c',
    'y = FusedGemm<activation="LeakyRelu", activation_alpha=0.2>(a, b, c)',
    { forward: 'kinked' },
  ),
  FusedMatMul: fused('float[2,3] a, float[3,2] b', 'y = FusedMatMul<alpha=0.5>(a, b)', {
    forward: 'linear',
  }),
  'FusedMatMul transA transB': fused(
    'float[2,3,2] a, float[2,2,3] b',
    'y = FusedMatMul<transA=1, transB=1, alpha=1.5>(a, b)',
    { forward: 'linear' },
  ),
  'FusedMatMul transBatchA transBatchB': fused(
    'float[2,3,4] a, float[4,3,2] b',
    'y = FusedMatMul<transBatchA=1, transBatchB=1>(a, b)',
    { forward: 'linear' },
  ),
  'FusedMatMul transBatchA transA': fused(
    'float[4,3,2] a, float[3,4,2] b',
    'y = FusedMatMul<transBatchA=1, transA=1>(a, b)',
    { forward: 'linear' },
  ),
  TransposeMatMul: fused('float[3,2] a, float[3,2] b', 'y = TransposeMatMul<transA=1>(a, b)', {
    forward: 'linear',
  }),
  SkipLayerNormalization: skip(
    'SkipLayerNormalization<epsilon=0.001>(x, k, s, b)',
    'float[1,2,4] x, float[1,2,4] k, float[4] s, float[4] b',
  ),
  'SkipLayerNormalization bias and sum': skip(
    'SkipLayerNormalization(x, k, s, b, c)',
    'float[1,2,4] x, float[1,2,4] k, float[4] s, float[4] b, float[4] c',
    'y, "", "", sum',
  ),
  'SkipLayerNormalization without β': skip(
    'SkipLayerNormalization(x, k, s)',
    'float[1,2,4] x, float[1,2,4] k, float[4] s',
  ),
  SkipSimplifiedLayerNormalization: skip(
    'SkipSimplifiedLayerNormalization<epsilon=0.001>(x, k, s, c)',
    'float[1,2,4] x, float[1,2,4] k, float[4] s, float[4] c',
    'y, "", "", sum',
  ),
  Inverse: fused('float[2,2] x', 'y = Inverse(x)', { values: { x: [2, 0.5, -0.7, 1.5] } }),
  Trilu: fused('float[3,3] x', 'y = Trilu<upper=0>(x)', { forward: 'linear' }),
};
