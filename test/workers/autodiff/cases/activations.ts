/** @file Activation functions, attributes by default and given. */

import type { GradientCase } from '../gradient-case.ts';

/** Values keep a distance from the kinks: the op has no float64 kernel, so that steps are long. */
const single = (call: string, x: readonly number[], more: Partial<GradientCase> = {}) => ({
  inputs: `float[2,${x.length / 2}] x`,
  nodes: `y = ${call}`,
  values: { x },
  forward: 'single' as const,
  ...more,
});

const double = (call: string): GradientCase => ({
  inputs: 'float[2,4] x',
  nodes: `y = ${call}`,
  forward: 'double',
});

const AROUND_ZERO = [-2.1, -1.3, -0.7, -0.2, 0.2, 0.6, 1.4, 2.2];
const WIDE = [-4, -2.8, -1.7, -0.4, 0.3, 1.9, 2.8, 4];

export const ACTIVATIONS: Readonly<Record<string, GradientCase>> = {
  Sigmoid: double('Sigmoid(x)'),
  Tanh: double('Tanh(x)'),
  Relu: double('Relu(x)'),
  LeakyRelu: single('LeakyRelu(x)', AROUND_ZERO),
  'LeakyRelu alpha': single('LeakyRelu<alpha=0.3>(x)', AROUND_ZERO),
  'PRelu slope per channel': single('PRelu(x, s)', AROUND_ZERO, {
    inputs: 'float[2,4,1] x, float[4,1] s',
    values: { x: AROUND_ZERO, s: [0.2, -0.4, 1.3, 0.5] },
  }),
  'PRelu one slope': single('PRelu(x, s)', AROUND_ZERO, {
    inputs: 'float[2,4] x, float[1] s',
    values: { x: AROUND_ZERO, s: [0.3] },
  }),
  Elu: single('Elu(x)', AROUND_ZERO),
  'Elu alpha': single('Elu<alpha=0.6>(x)', AROUND_ZERO),
  Celu: single('Celu(x)', AROUND_ZERO),
  'Celu alpha': single('Celu<alpha=1.7>(x)', AROUND_ZERO),
  Selu: single('Selu(x)', AROUND_ZERO),
  'Selu alpha gamma': single('Selu<alpha=1.2, gamma=0.9>(x)', AROUND_ZERO),
  Softplus: single('Softplus(x)', AROUND_ZERO),
  Softsign: single('Softsign(x)', AROUND_ZERO),
  HardSigmoid: single('HardSigmoid(x)', WIDE),
  'HardSigmoid alpha beta': single('HardSigmoid<alpha=0.3, beta=0.4>(x)', WIDE),
  HardSwish: single('HardSwish(x)', WIDE),
  Mish: single('Mish(x)', WIDE),
  'Mish of three nodes': single('Mul(x, t)', WIDE, {
    nodes: 's = Softplus(x) t = Tanh(s) y = Mul(x, t)',
  }),
  'SiLU, factors exchanged': { ...double('x'), nodes: 's = Sigmoid(x) y = Mul(s, x)' },
  'SiLU whose Sigmoid is used again': {
    ...double('x'),
    nodes: 's = Sigmoid(x) h = Mul(x, s) y = Sub(h, s)',
  },
  'Sigmoid times another tensor': {
    ...double('x'),
    nodes: 'e = Exp(x) s = Sigmoid(e) y = Mul(x, s)',
  },
  'Sigmoid squared': { ...double('x'), nodes: 's = Sigmoid(x) y = Mul(s, s)' },
  'SiLU of two nodes': { ...double('x'), nodes: 's = Sigmoid(x) y = Mul(x, s)' },
  Swish: single('Swish(x)', WIDE, { opset: 24 }),
  'Swish alpha': single('Swish<alpha=1.5>(x)', WIDE, { opset: 24 }),
  Gelu: single('Gelu(x)', WIDE),
  'Gelu tanh': single('Gelu<approximate="tanh">(x)', WIDE),
  ThresholdedRelu: single('ThresholdedRelu(x)', AROUND_ZERO),
  'ThresholdedRelu alpha': single('ThresholdedRelu<alpha=0.4>(x)', AROUND_ZERO),
  Shrink: single('Shrink(x)', AROUND_ZERO),
  'Shrink bias lambd': single('Shrink<bias=0.2, lambd=1.0>(x)', AROUND_ZERO),
};
