/** @file Small patterns whose gradient is cheaper as one than op by op. */

import type { Node, Value } from '../onnx/graph.ts';
import type { GradientRule } from './rule.ts';

type Producer = (value: Value) => Node | undefined;

/** The rule of `node` where it ends a known pattern, else undefined. */
export function compositeRule(node: Node, producer: Producer): GradientRule | undefined {
  return silu(node, producer);
}

/**
 * y = x·σ(x);  dx = dy·(y + σ·(1 − y)). The Sigmoid gets no gradient of its own from here.
 */
function silu(node: Node, producer: Producer): GradientRule | undefined {
  if (node.op !== 'Mul' || node.domain !== '') return undefined;
  const at = [0, 1].find((i) => {
    const maker = producer(node.inputs[i]!);
    return maker?.op === 'Sigmoid' && maker.inputs[0] === node.inputs[1 - i];
  });
  if (at === undefined) return undefined;
  return ({ y: [y], dy: [d], g }) => {
    const s = node.inputs[at]!;
    const dx = () => g.mul(d, g.add(y, g.mul(s, g.sub(g.scalar(1, y), y))));
    return at === 0 ? [null, dx] : [dx, null];
  };
}
