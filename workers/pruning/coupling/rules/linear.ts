/** @file Matrix products, of weights and of activations alike. */

import { intOf, stringOf } from '../../../onnx/attributes.ts';
import type { Axis } from '../atoms.ts';
import type { CouplingRule } from '../rule.ts';
import { broadcastAxes } from './elementwise.ts';
import { unknown } from './unknown.ts';

/** Y (…, M, N) = A (…, M, K) · B (…, K, N): K is summed away, M and N go on. */
export const matmul: CouplingRule = (c) => {
  const [a, b] = [c.weight(0), c.weight(1)];
  const inner = a.at(-1)!;
  const k = Math.max(0, b.length - 2);
  c.tie(inner, b[k]!);
  c.mixes(0, a.length - 1);
  c.mixes(1, k);
  const batch = broadcastAxes(c, [a.slice(0, -2), b.slice(0, -2)]);
  const rows = a.length > 1 ? [a.at(-2)!] : [];
  const columns = b.length > 1 ? [b.at(-1)!] : [];
  c.set(0, [...batch, ...rows, ...columns]);
};

/** Y (M, N) = α·A′·B′ + β·C. */
export const gemm: CouplingRule = (c) => {
  const [a, b] = [c.weight(0), c.weight(1)];
  const [transA, transB] = [intOf(c.node, 'transA', 0), intOf(c.node, 'transB', 0)];
  const [m, ka] = transA === 1 ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
  const [kb, n] = transB === 1 ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
  c.tie(ka, kb);
  c.mixes(0, transA === 1 ? 0 : 1);
  c.mixes(1, transB === 1 ? 1 : 0);
  c.set(0, c.has(2) ? broadcastAxes(c, [[m, n], c.x(2)]) : [m, n]);
};

/** Axes of one letter are one; letters that the output lacks are summed away. */
export const einsum: CouplingRule = (c) => {
  const [left, right] = stringOf(c.node, 'equation', '').replace(/\s/g, '').split('->');
  const terms = left?.split(',') ?? [];
  if (right === undefined || /[^a-zA-Z,]/.test(left!) || terms.some(repeats)) return unknown(c);
  const known = new Map<string, Axis>();
  for (const [i, term] of terms.entries())
    for (const [axis, letter] of [...term].entries()) {
      const own = c.weight(i)[axis]!;
      const first = known.get(letter);
      if (first && first.length === own.length) c.tie(first, own);
      if (!first || first.length < own.length) known.set(letter, own);
      if (!right.includes(letter)) c.mixes(i, axis);
    }
  c.set(
    0,
    [...right].map((letter) => known.get(letter)!),
  );
};

const repeats = (term: string) => new Set(term).size < term.length;
