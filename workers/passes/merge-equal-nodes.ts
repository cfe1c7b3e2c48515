/** @file The same thing computed twice is computed once. */

import { createHash } from 'node:crypto';
import { subgraphsOf } from '../onnx/attributes.ts';
import type { Attribute, Node, Value } from '../onnx/graph.ts';
import { replaceUses } from '../onnx/uses.ts';
import type { Pass } from './pass.ts';

/** Different at every run; or pairs that runtimes look for one by one (Q and DQ around each consumer). */
const NEVER_MERGED = /^(Random|Bernoulli|Multinomial|Dropout|QuantizeLinear|DequantizeLinear)/;

/** Nodes of the same op, inputs and attributes. A node that makes a graph output stays. */
export const mergeEqualNodes: Pass = {
  summary: 'compute equal things once',
  run({ graph }) {
    const ids = new Map<Value, number>();
    const idOf = (v: Value | undefined) => {
      if (!v) return -1;
      if (!ids.has(v)) ids.set(v, ids.size);
      return ids.get(v)!;
    };
    const first = new Map<string, Node>();
    const merged = new Set<Node>();
    for (const node of graph.nodes) {
      if (node.domain !== '' || NEVER_MERGED.test(node.op) || subgraphsOf(node).length > 0)
        continue;
      if (node.outputs.some((y) => y && graph.outputs.includes(y))) continue;
      const attributes = Object.entries(node.attributes)
        .map(([name, a]) => `${name}=${attributeKey(a)}`)
        .sort();
      const outputs = node.outputs.map((y) => (y ? 1 : 0));
      const key = `${node.op}(${node.inputs.map(idOf)})<${attributes}>${outputs}`;
      const known = first.get(key);
      if (!known) {
        first.set(key, node);
        continue;
      }
      for (const [i, y] of node.outputs.entries()) if (y) replaceUses(graph, y, known.outputs[i]!);
      merged.add(node);
    }
    graph.nodes = graph.nodes.filter((n) => !merged.has(n));
    return merged.size;
  },
};

function attributeKey(a: Attribute): string {
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');
  if (a.type === 'opaque') return hash(a.bytes);
  if (a.type === 'tensor') return `${a.value.dtype}[${a.value.dims}]${hash(a.value.bytes)}`;
  return `${a.type}:${String(a.value)}`;
}
