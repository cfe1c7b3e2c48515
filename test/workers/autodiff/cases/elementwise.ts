/** @file Arithmetic and functions of one number. */

import type { GradientCase } from '../gradient-case.ts';

const unary = (
  call: string,
  from = -2,
  to = 2,
  forward: GradientCase['forward'] = 'double',
): GradientCase => ({
  inputs: 'float[2,3] x',
  nodes: `y = ${call}`,
  values: { x: { from, to } },
  forward,
});

const binary = (op: string, a: string, b: string): GradientCase => ({
  inputs: `float[${a}] a, float[${b}] b`,
  nodes: `y = ${op}(a, b)`,
  values: { a: { from: -2, to: 2 }, b: { from: 0.5, to: 2.5 } },
});

/** Every way in which two shapes meet. */
const broadcasts = (op: string): Record<string, GradientCase> => ({
  [`${op} same shape`]: binary(op, '2,3', '2,3'),
  [`${op} row`]: binary(op, '2,3', '3'),
  [`${op} scalar on the right`]: binary(op, '2,3', ''),
  [`${op} scalar on the left`]: binary(op, '', '2,3'),
  [`${op} channel`]: binary(op, '2,3,2', '3,1'),
  [`${op} both stretched`]: binary(op, '2,1,2', '3,1'),
  [`${op} same tensor twice`]: { inputs: 'float[2,3] a', nodes: `y = ${op}(a, a)` },
});

export const ELEMENTWISE: Readonly<Record<string, GradientCase>> = {
  ...broadcasts('Add'),
  ...broadcasts('Sub'),
  ...broadcasts('Mul'),
  ...broadcasts('Div'),
  Abs: unary('Abs(x)'),
  Neg: unary('Neg(x)'),
  Exp: unary('Exp(x)'),
  Log: unary('Log(x)', 0.5, 3),
  Sqrt: unary('Sqrt(x)', 0.5, 3),
  Reciprocal: unary('Reciprocal(x)', 0.5, 3),
  Erf: unary('Erf(x)', -2, 2, 'single'),
  Sin: unary('Sin(x)'),
  Cos: unary('Cos(x)'),
  Tan: unary('Tan(x)', -1, 1, 'single'),
  Asin: unary('Asin(x)', -0.8, 0.8, 'single'),
  Acos: unary('Acos(x)', -0.8, 0.8, 'single'),
  Atan: unary('Atan(x)', -2, 2, 'single'),
  Sinh: unary('Sinh(x)', -2, 2, 'single'),
  Cosh: unary('Cosh(x)', -2, 2, 'single'),
  Asinh: unary('Asinh(x)', -2, 2, 'single'),
  Acosh: unary('Acosh(x)', 1.5, 4, 'single'),
  Atanh: unary('Atanh(x)', -0.8, 0.8, 'single'),
  Identity: unary('Identity(x)'),
  'Cast to double and back': {
    inputs: 'float[2,3] x',
    nodes: 'h = Cast<to=11>(x) k = Exp(h) y = Cast<to=1>(k)',
    forward: 'single',
  },
  'Pow tensor exponent': {
    inputs: 'float[2,3] x, float[2,3] p',
    nodes: 'y = Pow(x, p)',
    values: { x: { from: 0.5, to: 2 }, p: { from: -2, to: 3 } },
  },
  'Pow stretched': {
    inputs: 'float[2,3] x, float[2,1] p',
    nodes: 'y = Pow(x, p)',
    values: { x: { from: 0.5, to: 2 }, p: { from: -2, to: 3 } },
  },
  ...Object.fromEntries(
    [0, 1, 2, 3, -1].map((p) => [
      `Pow constant exponent ${p}`,
      { inputs: 'float[2,3] x', constants: `float[] p = {${p}}`, nodes: 'y = Pow(x, p)' },
    ]),
  ),
  'Pow constant exponent ½': {
    inputs: 'float[2,3] x',
    constants: 'float[] p = {0.5}',
    nodes: 'y = Pow(x, p)',
    values: { x: { from: 0.5, to: 2 } },
  },
  'Pow constant exponents per column': {
    inputs: 'float[2,3] x',
    constants: 'float[3] p = {1, 2, 3}',
    nodes: 'y = Pow(x, p)',
  },
  'Pow integer exponent': {
    inputs: 'float[2,3] x',
    constants: 'int64[] p = {3}',
    nodes: 'y = Pow(x, p)',
  },
  'Pow integer exponents per column': {
    inputs: 'float[2,3] x, int64[3] p',
    nodes: 'y = Pow(x, p)',
    values: { p: [1, 2, 3] },
  },
  'Mod of floats': {
    inputs: 'float[2,3] a, float[3] b',
    nodes: 'y = Mod<fmod=1>(a, b)',
    values: { a: { from: -4, to: 4 }, b: [1.3, 0.9, -1.7] },
  },
  'Sum of three, stretched': {
    inputs: 'float[2,3] a, float[3] b, float[] c',
    nodes: 'y = Sum(a, b, c)',
  },
  'Sum of one': unary('Sum(x)'),
  'Mean of three, stretched': {
    inputs: 'float[2,3] a, float[3] b, float[] c',
    nodes: 'y = Mean(a, b, c)',
    forward: 'linear',
  },
  'Max of three, stretched': {
    inputs: 'float[2,3] a, float[3] b, float[] c',
    nodes: 'y = Max(a, b, c)',
    values: { c: [-0.3] },
  },
  'Min of three, stretched': {
    inputs: 'float[2,3] a, float[3] b, float[] c',
    nodes: 'y = Min(a, b, c)',
    values: { c: [0.3] },
  },
  'Max of one': unary('Max(x)'),
  'Min of two': binary('Min', '2,3', '2,3'),
  'Clip by two constants': {
    inputs: 'float[2,3] x',
    constants: 'float[] lo = {-1}, float[] hi = {1.1}',
    nodes: 'y = Clip(x, lo, hi)',
  },
  'Clip from below': {
    inputs: 'float[2,3] x',
    constants: 'float[] lo = {-1}',
    nodes: 'y = Clip(x, lo)',
  },
  'Clip from above': {
    inputs: 'float[2,3] x',
    constants: 'float[] hi = {1.1}',
    nodes: 'y = Clip(x, "", hi)',
  },
  'Clip by computed bounds': {
    inputs: 'float[2,3] x, float[] lo, float[] hi',
    nodes: 'y = Clip(x, lo, hi)',
    values: { lo: [-0.9], hi: [1.2] },
  },
  'Clip of opset 6': { ...unary('Clip<min=-1.0, max=1.1>(x)', -2, 2, 'single'), opset: 10 },
  'Where stretched': {
    inputs: 'bool[2,3] c, float[2,3] a, float[3] b',
    nodes: 'y = Where(c, a, b)',
    values: { c: [1, 0, 0, 1, 1, 0] },
  },
  'Where stretched by its condition': {
    inputs: 'bool[2,1] c, float[3] a, float[] b',
    nodes: 'y = Where(c, a, b)',
    values: { c: [1, 0] },
  },
};
