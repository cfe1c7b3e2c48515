/** @file The driver of reverse-mode differentiation. No op is known here by name. */

import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Node, Value } from '../onnx/graph.ts';
import { shapeOf } from '../onnx/static-shapes.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { compositeRule } from './composites.ts';
import { pathsBetween } from './paths.ts';
import { gradientRule } from './registry.ts';
import type { GradientRule, Operands } from './rule.ts';
import { sumTo } from './sum-to.ts';
import { plainTransposed } from './transposed-convolutions.ts';

const operands = (values: readonly (Value | undefined)[]) => values as readonly Value[] as Operands;

/** How the walk is bounded and where it writes. */
export interface BackwardOptions {
  /** Where new nodes go; default: a builder of its own. */
  readonly g?: GraphBuilder;
  /** Values that count as constants: no gradient passes through them. */
  readonly stop?: ReadonlySet<Value>;
  /** Rules of nodes that stand for several and are written out afterwards; undefined: the op's own. */
  readonly ruleOf?: (node: Node) => GradientRule | undefined;
  /** Leave transposed convolutions as they are: someone else lowers them. Default: those of stride 1 become plain ones. */
  readonly keepTransposed?: boolean;
}

/** Gradient that arrives at a value from outside: dL/d`value`. */
export interface Seed {
  readonly value: Value;
  readonly gradient: Value;
}

/**
 * Extend `graph` with nodes that compute dL/dx for each `x` in `wrt`, given dL/dy at each seed.
 *
 * One walk over the forward nodes, last to first: ask each op's rule for the gradients of its inputs, undo
 * any broadcast, and add those that meet at the same value.
 *
 * @param graph canonical form, static types on every value (workers/runtime/infer-types.ts); changed in place
 * @param seeds usually one: the scalar loss with gradient 1
 * @returns the gradients, in the order and with the shapes of `wrt`
 * @throws OP_HAS_NO_GRADIENT an op on a path from `wrt` to a seed has no rule
 * @throws OP_NOT_DIFFERENTIABLE such an op is refused on purpose
 * @throws SHAPE_UNKNOWN a value on such a path has no static shape
 */
export function backward(
  graph: Graph,
  seeds: readonly Seed[],
  wrt: readonly Value[],
  {
    g = new GraphBuilder(graph),
    stop = new Set(),
    ruleOf = () => undefined,
    keepTransposed = false,
  }: BackwardOptions = {},
): Value[] {
  const forward = graph.nodes.length;
  const ends = seeds.map((s) => s.value);
  const { wanted, nodes } = pathsBetween(graph.nodes, wrt, ends, stop);
  // Unknown ops fail before any is differentiated.
  const index = new GraphIndex(graph);
  const producer = (value: Value) => index.producer(value);
  const rules = new Map(
    nodes.map((node) => [
      node,
      ruleOf(node) ?? compositeRule(node, producer) ?? gradientRule(node),
    ]),
  );

  const grads = new Map<Value, Value>();
  const meet = (x: Value, dx: Value) => {
    const soFar = grads.get(x);
    grads.set(x, soFar === undefined ? dx : g.add(soFar, dx));
  };
  for (const { value, gradient } of seeds) meet(value, gradient);

  for (const [node, rule] of rules) {
    const arrives = (i: number) => node.outputs[i] !== undefined && grads.has(node.outputs[i]);
    if (!node.outputs.some((_, i) => arrives(i))) continue;
    const dy = node.outputs.map((y) => y && (grads.get(y) ?? g.zeros(shapeOf(y), y)));
    const gradients = rule({
      node,
      x: operands(node.inputs),
      y: operands(node.outputs),
      dy: operands(dy),
      arrives,
      g,
    });
    for (const [i, x] of node.inputs.entries()) {
      if (x === undefined || !wanted.has(x)) continue;
      const d = gradients[i]?.();
      if (d !== undefined) meet(x, sumTo(g, d, shapeOf(x)));
    }
  }
  if (!keepTransposed) plainTransposed(g, forward);
  return wrt.map((x) => grads.get(x) ?? g.zeros(shapeOf(x), x));
}
