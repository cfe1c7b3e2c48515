/** @file Which products run in integers, and which tensors are quantized for them. */

import { macsOf } from '../onnx/cost.ts';
import { findDecodeTail } from '../onnx/decode-tail.ts';
import type { Graph, Node, Value } from '../onnx/graph.ts';
import { isTrained, weightIndex } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { activationOf } from './activation-of.ts';
import type { Matcher } from './matcher.ts';
import type { Profile } from './profiles.ts';

/** Output layers stay in float where they are cheaper than this share of all MACs: they decide every score. */
const CHEAP_OUTPUT_SHARE = 0.03;

export interface QuantizedTensor {
  readonly value: Value;
  /** Its range is judged by what is left after this function. */
  readonly activation: ((x: number) => number) | undefined;
  /** Who reads the quantized tensor; the others keep the float one. */
  readonly readers: 'all' | ReadonlySet<Node>;
}

export interface Placement {
  /** In graph order. */
  readonly products: readonly Node[];
  readonly tensors: readonly QuantizedTensor[];
  /** Products that stay in float, by the name of what they make. */
  readonly float: readonly {
    readonly tensor: string;
    readonly op: string;
    readonly reason: string;
  }[];
}

export function place(graph: Graph, profile: Profile, keepFloat: Matcher): Placement {
  const index = new GraphIndex(graph);
  const reasons = floatReasons(graph, index, profile, keepFloat);
  const products = graph.nodes.filter((n) => weightIndex(n) !== undefined && !reasons.has(n));
  const chosen = new Map<
    Value,
    { activation: QuantizedTensor['activation']; readers: 'all' | Set<Node> }
  >();

  for (const node of products) {
    const x = node.inputs[weightIndex(node) === 0 ? 1 : 0]!;
    const known = chosen.get(x);
    if (profile.readers === 'all') chosen.set(x, { activation: known?.activation, readers: 'all' });
    else if (!known) chosen.set(x, { activation: undefined, readers: new Set([node]) });
    else if (known.readers !== 'all') known.readers.add(node);
  }
  for (const node of products) {
    const target = ownOutput(node, profile, index);
    if (target) chosen.set(target.value, { activation: target.activation, readers: 'all' });
  }
  const tensors = [...chosen].map(([value, how]) => ({ value, ...how }));
  const float = [...reasons].map(([node, reason]) => ({
    tensor: node.outputs[0]?.name ?? '',
    op: node.op,
    reason,
  }));
  return { products, tensors, float };
}

/** The tensor to round where a product's result leaves it, if the profile wants that. */
function ownOutput(
  node: Node,
  profile: Profile,
  index: GraphIndex,
): { value: Value; activation: QuantizedTensor['activation'] } | undefined {
  const rule = profile.ops[node.op as keyof Profile['ops']];
  const y = node.outputs[0]!;
  if (!rule || rule.output === 'never') return undefined;
  const activation = activationOf(y, index);
  if (activation && profile.absorbed.includes(activation.op))
    return { value: activation.output, activation: undefined };
  return { value: y, activation: activation?.apply };
}

/** Every product that stays in float, and why. */
function floatReasons(
  graph: Graph,
  index: GraphIndex,
  profile: Profile,
  keepFloat: Matcher,
): Map<Node, string> {
  const reasons = new Map<Node, string>();
  const macs = new Map(graph.nodes.map((n) => [n, macsOf(n, graph)]));
  const total = [...macs.values()].reduce((a, b) => a + b, 0);
  const { layers } = findDecodeTail(graph, graph.outputs, index);
  const share = layers.reduce((sum, n) => sum + macs.get(n)!, 0) / (total || 1);
  for (const node of graph.nodes) {
    const isProduct =
      ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'].includes(node.op) && node.domain === '';
    if (!isProduct) continue;
    const weight = weightIndex(node);
    if (keepFloat.matches(node)) reasons.set(node, 'keepFloat names it');
    else if (weight === undefined) reasons.set(node, 'it multiplies two activations');
    else if (!(node.op in profile.ops))
      reasons.set(node, `the profile has no ${node.op} in integers`);
    else if (!isTrained(node)) reasons.set(node, 'its weight is a fixed table, not trained');
    else if (layers.includes(node) && layers.length > 1 && share <= CHEAP_OUTPUT_SHARE) {
      reasons.set(
        node,
        `output layer: ${(share * 100).toFixed(1)} % of the MACs decide every output`,
      );
    }
  }
  return reasons;
}
