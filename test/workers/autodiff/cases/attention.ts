/** @file Fused attention. */

import type { GradientCase } from '../gradient-case.ts';

const attention = (
  q: string,
  k: string,
  v: string,
  attributes = '',
  more: Partial<GradientCase> & { readonly mask?: string } = {},
): GradientCase => {
  const { mask, ...rest } = more;
  return {
    inputs: `float[${q}] q, float[${k}] k, float[${v}] v${mask?.startsWith('float') ? `, ${mask} m` : ''}`,
    nodes: `y = Attention${attributes}(q, k, v${mask ? ', m' : ''})`,
    opset: 23,
    forward: 'single',
    ...rest,
  };
};

const microsoft = (inputs: string, nodes: string, constants?: string): GradientCase => ({
  inputs,
  nodes: nodes.replace('= ', '= com.microsoft.'),
  forward: 'single',
  ...(constants && { constants }),
});

export const ATTENTION: Readonly<Record<string, GradientCase>> = {
  'Attention of heads': attention('1,2,3,2', '1,2,4,2', '1,2,4,3'),
  'Attention of rows': attention('2,3,4', '2,2,4', '2,2,4', '<q_num_heads=2, kv_num_heads=2>'),
  'Attention scale': attention('1,1,2,3', '1,1,2,3', '1,1,2,3', '<scale=0.4>'),
  'Attention causal': attention('1,1,3,2', '1,1,3,2', '1,1,3,2', '<is_causal=1>'),
  'Attention shared heads': attention('1,4,2,2', '1,2,3,2', '1,2,3,2'),
  'Attention added mask': attention('1,2,2,2', '1,2,3,2', '1,2,3,2', '', {
    mask: 'float[2,3]',
  }),
  'Attention mask of true and false': attention('1,2,2,2', '1,2,3,2', '1,2,3,2', '', {
    mask: 'bool',
    constants: 'bool[2,3] m = {1, 0, 1, 1, 1, 0}',
  }),
  MultiHeadAttention: microsoft(
    'float[1,2,4] q, float[1,3,4] k, float[1,3,4] v',
    'y = MultiHeadAttention<num_heads=2>(q, k, v)',
  ),
  'MultiHeadAttention biases': microsoft(
    'float[2,2,4] q, float[2,2,4] k, float[2,2,4] v, float[12] b, float[1,2,2,2] s',
    'y = MultiHeadAttention<num_heads=2, scale=0.3>(q, k, v, b, "", s)',
  ),
  'Attention of com.microsoft': microsoft(
    'float[2,2,3] x, float[3,12] w, float[12] b',
    'y = Attention<num_heads=2>(x, w, b)',
  ),
  'Attention of com.microsoft, causal': microsoft(
    'float[1,3,2] x, float[2,6] w, float[6] b',
    'y = Attention<num_heads=1, unidirectional=1, scale=0.7>(x, w, b)',
  ),
};
