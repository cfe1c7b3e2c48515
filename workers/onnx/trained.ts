/** @file Which nodes carry trained weights, and which of them stand last before the outputs. */

import type { Graph, Node } from './graph.ts';
import { GraphIndex } from './uses.ts';
import { floatsOf } from './values.ts';

/** Ops that mix channels by a weight, and the index of that weight. */
const WEIGHTED: Readonly<Record<string, number>> = {
  Conv: 1,
  ConvTranspose: 1,
  Gemm: 1,
  MatMul: 1,
};

/** Index of the constant weight of a Conv, ConvTranspose, Gemm or MatMul; undefined for other nodes and for two activations. */
export function weightIndex(node: Node): number | undefined {
  const index = node.domain === '' ? WEIGHTED[node.op] : undefined;
  if (index === undefined) return undefined;
  if (node.inputs[index]?.constant) return index;
  return node.op === 'MatMul' || node.op === 'Gemm'
    ? node.inputs[0]?.constant
      ? 0
      : undefined
    : undefined;
}

/** Exporters write bins as floats: 2.9999995 is 3. */
const WHOLE = 1e-4;

/**
 * Whether a node's weight was learned. A weight of whole numbers only was written by hand: the bins 0…15 that turn a
 * distribution into its mean, a fixed blur or shift kernel.
 */
export function isTrained(node: Node): boolean {
  const index = weightIndex(node);
  const weight = index === undefined ? undefined : node.inputs[index]!.constant!;
  if (!weight || !/^(b?float16|float32|float64)$/.test(weight.dtype)) return false;
  return floatsOf(weight).some((w) => w !== 0 && (Math.abs(w) < 0.5 || offWhole(w) > WHOLE));
}

const offWhole = (w: number) => Math.abs(w - Math.round(w));

/**
 * The output layers: walking back from the graph's outputs through ops without trained weights, the first trained
 * nodes met. `tail` is what lies between them and the outputs (decoding, softmax, reshapes).
 */
export function outputLayers(
  graph: Graph,
  index = new GraphIndex(graph),
): { layers: Node[]; tail: Set<Node> } {
  const layers = new Set<Node>();
  const tail = new Set<Node>();
  const open = graph.outputs.flatMap((v) => index.producer(v) ?? []);
  while (open.length > 0) {
    const node = open.pop()!;
    if (layers.has(node) || tail.has(node)) continue;
    if (isTrained(node)) {
      layers.add(node);
      continue;
    }
    tail.add(node);
    for (const x of node.inputs) {
      const producer = x && index.producer(x);
      if (producer) open.push(producer);
    }
  }
  return { layers: graph.nodes.filter((n) => layers.has(n)), tail };
}
