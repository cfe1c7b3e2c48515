/** @file Names that a graph does not have yet. */

import { subgraphsOf } from './attributes.ts';
import type { Graph } from './graph.ts';

/** Hands out names, derived from what they belong to, that clash with no value or node of the graph or its subgraphs. */
export class Names {
  readonly #taken = new Set<string>();

  constructor(graph: Graph) {
    this.#collect(graph);
  }

  #collect(graph: Graph): void {
    for (const v of [...graph.inputs, ...graph.initializers]) this.#taken.add(v.name);
    for (const node of graph.nodes) {
      this.#taken.add(node.name);
      for (const y of node.outputs) if (y) this.#taken.add(y.name);
      for (const inner of subgraphsOf(node)) this.#collect(inner);
    }
  }

  fresh(stem: string): string {
    let name = stem;
    for (let i = 1; this.#taken.has(name); i++) name = `${stem}_${i}`;
    this.#taken.add(name);
    return name;
  }
}
