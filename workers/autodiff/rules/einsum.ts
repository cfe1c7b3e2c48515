/** @file Gradient of Einsum. */

import { stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';

/** An equation with every axis named by a letter of its own. */
interface Equation {
  readonly terms: readonly string[];
  readonly result: string;
  readonly unused: readonly string[];
}

/**
 * Y = Σ over letters that are not in the result of Π of the operands. For operand i:
 *
 *     dXᵢ = einsum(dY and the other operands → letters of i),
 *
 * where dXᵢ is constant along letters that only i has, and zero off the diagonal of letters that i repeats: there an
 * identity matrix joins the operands. An operand of size 1 along a letter is stretched, which backward() undoes.
 *
 * Source: https://onnx.ai/onnx/operators/onnx__Einsum.html
 */
export const einsum: GradientRule = ({ node, x, dy: [d], g }) => {
  const shapes = node.inputs.map((v) => shapeOf(v!));
  const { terms, result, unused } = parse(stringOf(node, 'equation', ''), shapes);
  const sizes = letterSizes(terms, shapes);
  return terms.map((term, i) => () => {
    const others = terms.filter((_, j) => j !== i);
    const { letters, twins } = withoutRepeats(term, unused);
    const seen = new Set([result, ...others, ...twins].join(''));
    const shared = [...letters].filter((letter) => seen.has(letter)).join('');
    const size = (letter: string) => sizes.get(letter) ?? sizes.get(original(letter, twins))!;
    const eyes = twins.map((twin) => identityMatrix(g, size(twin[0]!), d));
    const product = g.op(
      'Einsum',
      [d, ...x.filter((_, j) => j !== i), ...eyes],
      [...shared].map(size),
      { equation: { type: 'string', value: `${[result, ...others, ...twins]}->${shared}` } },
    );
    if (shared === letters) return product;
    const kept = [...letters].map((letter) => (seen.has(letter) ? size(letter) : 1));
    const full = [...letters].map(size);
    return g.op('Expand', [g.reshape(product, kept), g.ints(full)], full);
  });
};

function parse(text: string, shapes: readonly Shape[]): Equation {
  const [left, right] = text.replace(/\s/g, '').split('->') as [string, string | undefined];
  const free = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter(
    (letter) => !text.includes(letter),
  );
  const written = left.split(',');
  const counts = written.map((term, i) => shapes[i]!.length - term.replace('...', '').length);
  const rank = Math.max(...written.map((term, i) => (term.includes('...') ? counts[i]! : 0)));
  const batch = free.splice(0, rank).join('');
  return {
    terms: written.map((term, i) => term.replace('...', batch.slice(rank - counts[i]!))),
    result: right?.replace('...', batch) ?? batch + implicitResult(left),
    unused: free,
  };
}

/** Without '->': the letters that appear once, in alphabetical order. */
const implicitResult = (left: string) =>
  [...new Set(left.replace(/[.,]/g, ''))]
    .filter((letter) => left.split(letter).length === 2)
    .sort()
    .join('');

function letterSizes(terms: readonly string[], shapes: readonly Shape[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [i, term] of terms.entries())
    for (const [axis, letter] of [...term].entries())
      sizes.set(letter, Math.max(sizes.get(letter) ?? 1, shapes[i]![axis]!));
  return sizes;
}

/** 'iji' → letters 'ijZ' and the twin 'iZ': an identity matrix that ties the two. */
function withoutRepeats(term: string, unused: readonly string[]) {
  const twins: string[] = [];
  const letters = [...term].map((letter, at) => {
    if (term.indexOf(letter) === at) return letter;
    twins.push(letter + unused[twins.length]!);
    return twins.at(-1)![1]!;
  });
  return { letters: letters.join(''), twins };
}

const original = (letter: string, twins: readonly string[]) =>
  twins.find((twin) => twin[1] === letter)![0]!;

const identityMatrix = (g: GraphBuilder, n: number, like: Value) =>
  g.floats(
    [n, n],
    Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0)),
    like,
  );
