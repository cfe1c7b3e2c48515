/** @file An order in which the nodes of a graph can run. */

import { ServiceError } from '../../src/contract/errors.ts';
import { subgraphsOf } from './attributes.ts';
import { type Graph, type Node, nodeLabel, type Value } from './graph.ts';
import { valuesUsedIn } from './uses.ts';

/**
 * Sort `graph.nodes` so that each comes after what it uses; nodes keep their order where that leaves a choice.
 *
 * @throws MODEL_INVALID the graph has a cycle
 */
export function sortNodes(graph: Graph): void {
  const producers = new Map<Value, Node>();
  for (const node of graph.nodes) for (const y of node.outputs) if (y) producers.set(y, node);
  const state = new Map<Node, 'open' | 'done'>();
  const sorted: Node[] = [];
  for (const root of graph.nodes) {
    const stack: Node[] = [root];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      const waiting =
        state.get(node) === 'done'
          ? []
          : needs(node, producers).filter((n) => state.get(n) !== 'done');
      if (waiting.length === 0) {
        stack.pop();
        if (state.get(node) !== 'done') sorted.push(node);
        state.set(node, 'done');
        continue;
      }
      if (
        waiting.includes(node) ||
        (state.get(node) === 'open' && waiting.some((n) => state.get(n) === 'open'))
      ) {
        throw new ServiceError('MODEL_INVALID', {
          where: `node '${nodeLabel(node)}'`,
          why: 'it depends on its own output (a cycle)',
        });
      }
      state.set(node, 'open');
      stack.push(...waiting.toReversed());
    }
  }
  graph.nodes = sorted;
}

/** Whether each node already comes after what it uses. */
export function isSorted(graph: Graph): boolean {
  const later = new Set(graph.nodes.flatMap((n) => n.outputs));
  later.delete(undefined);
  return graph.nodes.every((node) => {
    const used = [...node.inputs, ...subgraphsOf(node).flatMap((g) => [...valuesUsedIn(g)])];
    if (used.some((x) => later.has(x))) return false;
    for (const y of node.outputs) later.delete(y);
    return true;
  });
}

function needs(node: Node, producers: ReadonlyMap<Value, Node>): Node[] {
  const inner = subgraphsOf(node).flatMap((g) => [...valuesUsedIn(g)]);
  return [...node.inputs, ...inner].flatMap((v) => (v && producers.get(v)) ?? []);
}
