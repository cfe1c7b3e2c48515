/** @file Names, patterns and op types of nodes, as options give them. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { namePattern } from '../onnx/name-pattern.ts';

export interface Matcher {
  matches(node: Node): boolean;
}

/**
 * Entries are op types (`Conv`), names of nodes or of tensors that nodes make, or patterns of these with `*`.
 *
 * @throws PATTERN_MATCHES_NOTHING an entry that names nothing in the graph: a typing mistake would else pass unseen
 */
export function matcher(entries: readonly string[], graph: Graph, option: string): Matcher {
  const tests = entries.map((entry) => {
    const pattern = namePattern(entry);
    const test = (node: Node) =>
      node.op === entry ||
      pattern(node.name) ||
      node.outputs.some((y) => y !== undefined && pattern(y.name));
    if (!graph.nodes.some(test))
      throw new ServiceError('PATTERN_MATCHES_NOTHING', { option, pattern: entry });
    return test;
  });
  return { matches: (node) => tests.some((test) => test(node)) };
}
