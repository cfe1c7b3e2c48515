/** @file Which products run in integers, and which tensors are quantized for them. */

import { subgraphsOf } from '../onnx/attributes.ts';
import { findDecodeTail } from '../onnx/decode-tail.ts';
import { dtypeKnown, type Graph, type Node, type Value } from '../onnx/graph.ts';
import { isTrained, weightIndex } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { activationOf } from './activation-of.ts';
import type { Matcher } from './matcher.ts';
import type { Profile } from './profiles.ts';

/**
 * Share of all MACs that may stay in float for accuracy's sake: layers whose input drowns in its scale, then output
 * layers, which decide every score; the cheapest first.
 */
export const FLOAT_SHARE = 0.03;

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
  /** Products that stay in float, and results that do, by the name of what they make. */
  readonly float: readonly {
    readonly tensor: string;
    readonly op: string;
    readonly reason: string;
  }[];
}

export interface PlaceOptions {
  readonly profile: Profile;
  readonly keepFloat: Matcher;
  /** Of every node, at batch 1 and the size that the model is used at. */
  readonly macs: ReadonlyMap<Node, number>;
  /** Share of all MACs that may stay in float for accuracy's sake; 0 gives every tensor that any placement can want. */
  readonly floatShare: number;
  /** Names of tensors that one scale cannot hold → share of the signal that would be lost (drowned.ts). */
  readonly drowned: ReadonlyMap<string, number>;
  /** Names of the results of products that are to stay in float → why. */
  readonly relieved?: ReadonlyMap<string, string>;
  /** Outputs that are quantized whatever makes them. */
  readonly outputs?: readonly Value[];
}

export function place(graph: Graph, options: PlaceOptions): Placement {
  const { profile, drowned } = options;
  const index = new GraphIndex(graph);
  const reasons = floatReasons(graph, index, options);
  const products = graph.nodes.filter((n) => weightIndex(n) !== undefined && !reasons.has(n));
  const chosen = new Map<
    Value,
    { activation: QuantizedTensor['activation']; readers: 'all' | Set<Node> }
  >();

  for (const x of readByOthers(graph, index, options))
    chosen.set(x, { activation: activationOf(x, index)?.apply, readers: 'all' });
  for (const node of products) {
    const x = node.inputs[weightIndex(node) === 0 ? 1 : 0]!;
    const known = chosen.get(x);
    if (profile.readers === 'all') chosen.set(x, { activation: known?.activation, readers: 'all' });
    else if (!known) chosen.set(x, { activation: undefined, readers: new Set([node]) });
    else if (known.readers !== 'all') known.readers.add(node);
  }
  const float = [...reasons].map(([node, reason]) => floatEntry(node, reason));
  float.push(...productsWithin(graph).map((n) => floatEntry(n, 'it stands in a branch or a loop')));
  for (const node of products) {
    const target = ownOutput(node, profile, index);
    if (!target) continue;
    const lost = drowned.get(target.value.name);
    if (lost === undefined || chosen.has(target.value))
      chosen.set(target.value, { activation: target.activation, readers: 'all' });
    else float.push(floatEntry(node, `the result only: ${drownedReason(lost, 'result')}`));
  }
  for (const y of options.outputs ?? [])
    if (!chosen.has(y)) chosen.set(y, { activation: undefined, readers: 'all' });
  const tensors = [...chosen].map(([value, how]) => ({ value, ...how }));
  return { products, tensors, float };
}

/** What ops without weights read that run in integers as well. The decode tail mixes pixels with scores, and never does. */
function readByOthers(
  graph: Graph,
  index: GraphIndex,
  { profile, keepFloat }: PlaceOptions,
): Set<Value> {
  const tail = findDecodeTail(graph, graph.outputs, index).nodes;
  const nodes = graph.nodes.filter(
    (n) => n.domain === '' && profile.also.includes(n.op) && !tail.has(n) && !keepFloat.matches(n),
  );
  const values = nodes.flatMap((n) => (n.op === 'Resize' ? n.inputs.slice(0, 1) : n.inputs));
  return new Set(
    values.filter((v) => v !== undefined && !v.constant && dtypeKnown(v) === 'float32') as Value[],
  );
}

const floatEntry = (node: Node, reason: string) => ({
  tensor: node.outputs[0]?.name ?? '',
  op: node.op,
  reason,
});

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

const PRODUCTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Products of the graphs inside nodes. */
const productsWithin = (graph: Graph): Node[] =>
  graph.nodes
    .flatMap(subgraphsOf)
    .flatMap((inner) => [
      ...inner.nodes.filter((n) => PRODUCTS.has(n.op) && n.domain === ''),
      ...productsWithin(inner),
    ]);

/** Every product that stays in float, and why. */
function floatReasons(
  graph: Graph,
  index: GraphIndex,
  { profile, keepFloat, macs, floatShare, drowned, relieved }: PlaceOptions,
): Map<Node, string> {
  const reasons = new Map<Node, string>();
  for (const node of graph.nodes) {
    if (!PRODUCTS.has(node.op) || node.domain !== '') continue;
    const weight = weightIndex(node);
    const relief = relieved?.get(node.outputs[0]!.name);
    if (relief !== undefined) reasons.set(node, relief);
    else if (keepFloat.matches(node)) reasons.set(node, 'keepFloat names it');
    else if (weight === undefined) reasons.set(node, 'it multiplies two activations');
    else if (!(node.op in profile.ops))
      reasons.set(node, `the profile has no ${node.op} in integers`);
    else if (!isTrained(node)) reasons.set(node, 'its weight is a fixed table, not trained');
  }
  const spend = budget(macs, floatShare);
  const cheapestFirst = (nodes: readonly Node[]) =>
    nodes
      .filter((n) => weightIndex(n) !== undefined && !reasons.has(n))
      .toSorted((a, b) => macs.get(a)! - macs.get(b)!);
  const quiet = graph.nodes.filter((n) => drowned.has(n.inputs[0]?.name ?? ''));
  for (const node of cheapestFirst(quiet))
    if (spend(node)) reasons.set(node, drownedReason(drowned.get(node.inputs[0]!.name)!, 'input'));
  const { layers } = findDecodeTail(graph, graph.outputs, index);
  if (layers.length === 1) return reasons;
  for (const node of cheapestFirst(layers))
    if (spend(node)) {
      const share = ((100 * macs.get(node)!) / sum(macs.values())).toFixed(2);
      reasons.set(
        node,
        `output layer: ${share} % of the MACs, and what it rounds is not made good`,
      );
    }
  return reasons;
}

const drownedReason = (lost: number, which: 'input' | 'result') =>
  `one scale for all channels of its ${which} would drown ${(100 * lost).toFixed(0)} % of the signal of the layer that reads it`;

const sum = (numbers: Iterable<number>) => Iterator.from(numbers).reduce((a, b) => a + b, 0);

/** Takes a node's MACs out of what may stay in float, and says whether there was enough left. */
function budget(macs: ReadonlyMap<Node, number>, share: number): (node: Node) => boolean {
  let left = share * sum(macs.values());
  return (node) => {
    const cost = macs.get(node) ?? 0;
    if (cost > left) return false;
    left -= cost;
    return true;
  };
}
