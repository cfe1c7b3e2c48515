/** @file Matrix products. */

import type { GradientCase } from '../gradient-case.ts';

const gemm = (attributes: string, a: string, b: string, c?: string): GradientCase => ({
  inputs: `float[${a}] a, float[${b}] b${c === undefined ? '' : `, float[${c}] c`}`,
  nodes: `y = Gemm${attributes}(a, b${c === undefined ? '' : ', c'})`,
});

const matmul = (a: string, b: string): GradientCase => ({
  inputs: `float[${a}] a, float[${b}] b`,
  nodes: 'y = MatMul(a, b)',
});

const einsum = (equation: string, ...shapes: readonly string[]): GradientCase => {
  const names = shapes.map((_, i) => `x${i}`);
  return {
    inputs: shapes.map((s, i) => `float[${s}] x${i}`).join(', '),
    nodes: `y = Einsum<equation="${equation}">(${names.join(', ')})`,
  };
};

export const LINEAR: Readonly<Record<string, GradientCase>> = {
  Gemm: gemm('', '2,3', '3,4'),
  'Gemm row': gemm('', '2,3', '3,4', '4'),
  'Gemm column': gemm('', '2,3', '3,4', '2,1'),
  'Gemm scalar': gemm('', '2,3', '3,4', ''),
  'Gemm transA': gemm('<transA=1>', '3,2', '3,4', '2,4'),
  'Gemm transB': gemm('<transB=1>', '2,3', '4,3', '1,4'),
  'Gemm transA transB alpha beta': gemm(
    '<transA=1, transB=1, alpha=0.7, beta=1.3>',
    '3,2',
    '4,3',
    '4',
  ),
  'MatMul matrices': matmul('2,3', '3,4'),
  'MatMul batched': matmul('2,2,3', '2,3,2'),
  'MatMul weights on the right': matmul('2,3,2', '2,3'),
  'MatMul weights on the left': matmul('2,3', '2,3,2'),
  'MatMul left stretched': matmul('1,2,3', '3,3,2'),
  'MatMul right stretched': matmul('3,2,3', '1,3,2'),
  'MatMul both stretched': matmul('2,1,2,3', '3,3,2'),
  'MatMul four axes, weights': matmul('2,2,2,3', '3,2'),
  'MatMul vector on the left': matmul('3', '3,2'),
  'MatMul vector on the left of a batch': matmul('3', '2,3,2'),
  'MatMul vector on the right': matmul('2,3', '3'),
  'MatMul vector on the right of a batch': matmul('2,2,3', '3'),
  'MatMul two vectors': matmul('3', '3'),
  'Einsum product': einsum('ij,jk->ik', '2,3', '3,2'),
  'Einsum spaces and implicit result': einsum('b a, c b', '3,2', '2,3'),
  'Einsum attention': einsum('bhqd,bhkd->bhqk', '1,2,3,2', '1,2,2,2'),
  'Einsum summed letter of one operand': einsum('ij,k->k', '2,3', '2'),
  'Einsum sum': einsum('ij->', '2,3'),
  'Einsum transpose': einsum('ijk->kij', '2,3,2'),
  'Einsum outer': einsum('i,j->ij', '2', '3'),
  'Einsum three operands': einsum('ij,jk,kl->il', '2,3', '3,2', '2,2'),
  'Einsum diagonal': einsum('ii->i', '3,3'),
  'Einsum trace': einsum('ii', '3,3'),
  'Einsum diagonal of two': einsum('iij,j->i', '2,2,3', '3'),
  'Einsum ellipsis': einsum('...ij,...jk->...ik', '2,2,3', '2,3,2'),
  'Einsum ellipsis on one side': einsum('...ij,jk->...ik', '2,2,3', '3,2'),
  'Einsum ellipsis stretched': einsum('...ij,...jk->...ik', '1,2,3', '2,3,2'),
  'Einsum ellipsis, sum': einsum('...i->...', '2,3,2'),
  'Einsum implicit with ellipsis': einsum('...ij,...jk', '2,2,3', '2,3,2'),
};
