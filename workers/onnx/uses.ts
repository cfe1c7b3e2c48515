/** @file Who makes and who uses a value. */

import { subgraphsOf } from './attributes.ts';
import type { Graph, Node, Value } from './graph.ts';

export interface Use {
  readonly node: Node;
  readonly index: number;
}

/**
 * An index of one graph as it stands: build it again after a rewrite. A use inside a subgraph counts as a use
 * by the node that holds the subgraph (with index −1).
 */
export class GraphIndex {
  readonly #producers = new Map<Value, Node>();
  readonly #uses = new Map<Value, Use[]>();
  readonly #outputs: ReadonlySet<Value>;

  constructor(graph: Graph) {
    this.#outputs = new Set(graph.outputs);
    for (const node of graph.nodes) {
      for (const y of node.outputs) if (y) this.#producers.set(y, node);
      for (const [index, x] of node.inputs.entries()) if (x) this.#add(x, { node, index });
      for (const inner of subgraphsOf(node)) {
        for (const x of valuesUsedIn(inner)) this.#add(x, { node, index: -1 });
      }
    }
  }

  #add(value: Value, use: Use): void {
    const uses = this.#uses.get(value);
    if (uses) uses.push(use);
    else this.#uses.set(value, [use]);
  }

  producer(value: Value): Node | undefined {
    return this.#producers.get(value);
  }

  uses(value: Value): readonly Use[] {
    return this.#uses.get(value) ?? [];
  }

  isOutput(value: Value): boolean {
    return this.#outputs.has(value);
  }
}

/** Every value that a graph's nodes and outputs refer to, those of inner graphs included. */
export function valuesUsedIn(graph: Graph): Set<Value> {
  const used = new Set<Value>(graph.outputs);
  for (const node of graph.nodes) {
    for (const x of node.inputs) if (x) used.add(x);
    for (const inner of subgraphsOf(node)) for (const x of valuesUsedIn(inner)) used.add(x);
  }
  return used;
}

/** Let every use of `from` in the graph and its subgraphs, outputs included, be a use of `to`. */
export function replaceUses(graph: Graph, from: Value, to: Value): void {
  graph.outputs = graph.outputs.map((v) => (v === from ? to : v));
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((v) => (v === from ? to : v));
    for (const inner of subgraphsOf(node)) replaceUses(inner, from, to);
  }
}
