/** @file Gradient of Einsum. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { stringOf } from '../../onnx/attributes.ts';
import { nodeLabel } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientRule } from '../rule.ts';

/**
 * Y = Σ over letters that are not in the result of Π of the operands. For operand i:
 *
 *     dXᵢ = einsum(dY and the other operands → letters of i),
 *
 * where letters that only i has are sums of its own: dXᵢ is constant along them.
 */
export const einsum: GradientRule = ({ node, x, dy: [d], g }) => {
  const refuse = (why: string): never => {
    throw new ServiceError('OP_NOT_DIFFERENTIABLE', { op: node.op, node: nodeLabel(node), why });
  };
  const equation = stringOf(node, 'equation', '').replace(/\s/g, '');
  if (equation.includes('...')) refuse('an equation with an ellipsis has no rule');
  const [left, right] = equation.split('->') as [string, string | undefined];
  const terms = left.split(',');
  const result = right ?? implicitResult(terms.join(''));
  return terms.map((term, i) => () => {
    if (new Set(term).size !== term.length)
      return refuse(`operand ${i} repeats a letter ('${term}'): diagonals have no rule`);
    const others = terms.filter((_, j) => j !== i);
    const seen = new Set([result, ...others].join(''));
    const shared = [...term].filter((letter) => seen.has(letter)).join('');
    const size = (letter: string) => shapeOf(x[i]!)[term.indexOf(letter)]!;
    const operands = [d, ...x.filter((_, j) => j !== i)];
    const product = g.op('Einsum', operands, [...shared].map(size), {
      equation: { type: 'string', value: `${[result, ...others].join(',')}->${shared}` },
    });
    if (shared === term) return product;
    const kept = g.reshape(
      product,
      [...term].map((letter) => (seen.has(letter) ? size(letter) : 1)),
    );
    return g.op('Expand', [kept, g.ints(shapeOf(x[i]!))], shapeOf(x[i]!));
  });
};

/** Without '->': the letters that appear once, in alphabetical order. */
const implicitResult = (letters: string) =>
  [...new Set(letters)]
    .filter((l) => letters.split(l).length === 2)
    .sort()
    .join('');
