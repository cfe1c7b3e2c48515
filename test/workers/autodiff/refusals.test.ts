/** @file Three words for no: zero by definition, refused on purpose, not written yet. */

import { expect, test } from 'vitest';

import { backward } from '../../../workers/autodiff/backward.ts';
import { normalize } from '../../../workers/onnx/normalize.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { caseText, type GradientCase } from './gradient-case.ts';
import { gradientsAt } from './gradients-at.ts';

/** Builds the gradients and runs nothing. */
async function build(entry: GradientCase): Promise<void> {
  const model = parseText(caseText(entry));
  await inferTypes(model);
  normalize(model);
  const [value] = model.graph.outputs;
  backward(model.graph, [{ value: value!, gradient: value! }], [model.graph.inputs[0]!]);
}

const REFUSED: readonly (readonly [string, GradientCase, RegExp])[] = [
  [
    'If',
    {
      inputs: 'float[2] x, bool[] c',
      nodes:
        '["branch"] y = If<then_branch: graph = t () => (float[2] p) { p = Abs(x) }, else_branch: graph = f () => (float[2] q) { q = Neg(x) }>(c)',
    },
    /'branch' is a If, .*which branch runs/,
  ],
  [
    'Unique',
    { inputs: 'float[4] x', nodes: '["the set"] y = Unique(x)', outputs: 'float[4] y' },
    /'the set' is a Unique, .*depends on the data/,
  ],
  [
    'Compress',
    {
      inputs: 'float[4] x',
      constants: 'bool[2] c = {1, 1}',
      nodes: '["kept"] y = Compress(x, c)',
      outputs: 'float[2] y',
    },
    /'kept' is a Compress, .*depends on the data/,
  ],
  [
    'DynamicQuantizeLinear',
    {
      inputs: 'float[4] x',
      nodes: '["codes"] q, s, z = DynamicQuantizeLinear(x) y = DequantizeLinear(q, s, z)',
    },
    /'codes' is a DynamicQuantizeLinear, .*integers/,
  ],
  [
    'FusedConv with an activation that its result does not determine',
    {
      inputs: 'float[1,1,2,2] x, float[1,1,1,1] w',
      nodes: '["swish"] y = com.microsoft.FusedConv<activation="HardSwish">(x, w)',
    },
    /'swish' is a com.microsoft.FusedConv, .*HardSwish has no rule/,
  ],
  [
    'GridSample cubic',
    {
      inputs: 'float[1,1,3,3] x, float[1,2,2,2] g',
      nodes: '["warp"] y = GridSample<mode="cubic">(x, g)',
    },
    /'warp' is a GridSample, .*mode 'cubic'/,
  ],
  [
    'GridSample reflection',
    {
      inputs: 'float[1,1,3,3] x, float[1,2,2,2] g',
      nodes: '["warp"] y = GridSample<padding_mode="reflection">(x, g)',
    },
    /'warp' is a GridSample, .*reflection/,
  ],
  [
    'a loss on a statistic',
    {
      inputs: 'float[2,3] x, float[3] s',
      nodes: '["norm"] y, mean = LayerNormalization(x, s)',
      outputs: 'mean',
    },
    /'norm' is a LayerNormalization, .*'mean', a statistic/,
  ],
  [
    'Attention with a softcap',
    {
      inputs: 'float[1,1,2,2] x',
      nodes: '["soft"] y = Attention<softcap=2.0>(x, x, x)',
      opset: 23,
    },
    /'soft' is an? Attention, .*softcap has no rule/,
  ],
  [
    'MultiHeadAttention with a padding mask',
    {
      inputs: 'float[1,2,4] x',
      constants: 'int32[1] mask = {1}',
      nodes: '["padded"] y = com.microsoft.MultiHeadAttention<num_heads=2>(x, x, x, "", mask)',
    },
    /'padded' is a com.microsoft.MultiHeadAttention, .*padding mask has no rule/,
  ],
  [
    'Tile by computed repeats',
    {
      inputs: 'float[2] x, int64[1] r',
      nodes: '["repeat"] y = Tile(x, r)',
      outputs: 'float[4] y',
    },
    /'repeat' is a Tile, .*'r' decides shapes or places/,
  ],
];

test.each(REFUSED)('refused on purpose, by op and node: %s', async (_, entry, message) => {
  await expect(build(entry)).rejects.toMatchObject({
    code: 'OP_NOT_DIFFERENTIABLE',
    message: expect.stringMatching(message),
  });
});

test.each([
  [
    'LSTM',
    'LSTM',
    {
      inputs: 'float[3,1,2] x, float[1,8,2] w, float[1,8,2] r',
      nodes: '["memory"] y, h = LSTM<hidden_size=2>(x, w, r)',
      outputs: 'h',
    },
  ],
  [
    'GRU',
    'GRU',
    {
      inputs: 'float[3,1,2] x, float[1,6,2] w, float[1,6,2] r',
      nodes: '["memory"] y, h = GRU<hidden_size=2>(x, w, r)',
      outputs: 'h',
    },
  ],
  [
    'an op of another domain',
    'com.microsoft.CDist',
    {
      inputs: 'float[2,3] x',
      nodes: '["memory"] y = com.microsoft.CDist<metric="euclidean">(x, x)',
    },
  ],
] as const)('not written yet, by op and node: %s', async (_, op, entry) => {
  await expect(build(entry)).rejects.toMatchObject({
    code: 'OP_HAS_NO_GRADIENT',
    message: expect.stringContaining(`Node 'memory' is a ${op},`),
  });
});

/** What flows beside such an op still counts. */
test.each([
  ['Floor', 'f = Floor(x) y = Mul(f, x)', [1, -2, 0]],
  ['Round', 'f = Round(x) y = Add(f, x)', [1, 1, 1]],
  ['Sign', 'f = Sign(x) y = Mul(f, x)', [1, -1, 1]],
  ['Greater', 'f = Greater(x, x) c = Cast<to=1>(f) y = Add(c, x)', [1, 1, 1]],
  ['Cast to integers and back', 'f = Cast<to=7>(x) c = Cast<to=1>(f) y = Mul(c, x)', [1, -1, 0]],
  ['Hardmax', 'f = Hardmax<axis=0>(x) y = Mul(f, x)', [1, 0, 0]],
  ['ArgMax as an index', 'f = ArgMax<axis=0>(x) y = Gather(x, f)', [1, 0, 0]],
  ['Shape', 'f = Shape(x) c = Cast<to=1>(f) y = Mul(c, x)', [3, 3, 3]],
] as const)('zero by definition: %s', async (_, nodes, expected) => {
  const { x } = await gradientsAt({ inputs: 'float[3] x', nodes }, { x: [1.4, -1.3, 0.7] });

  expect(x).toEqual(expected);
});
