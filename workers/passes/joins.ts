/** @file Chains of Transposes and of reshapes, each joined to one. */

import { ints, intsOf } from '../onnx/attributes.ts';
import {
  type Graph,
  type Model,
  type Node,
  shapeKnown,
  type Value,
  Value as ValueOf,
} from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { Tensor } from '../onnx/tensor.ts';
import { GraphIndex } from '../onnx/uses.ts';
import type { Pass } from './pass.ts';

/** The node before, if `test` holds of it and nothing else uses its result. */
function onlyFor(node: Node, index: GraphIndex, test: (n: Node) => boolean): Node | undefined {
  const x = node.inputs[0];
  if (!x) return undefined;
  const before = index.producer(x);
  if (before?.domain !== '' || !test(before)) return undefined;
  return index.uses(x).length === 1 && !index.isOutput(x) ? before : undefined;
}

/** Transpose after Transpose: y = x moved by p then q is x moved by i ↦ p[q[i]]. */
export const joinTransposes: Pass = {
  summary: 'join Transposes that follow each other',
  run({ graph }: Model) {
    let joined = 0;
    for (const node of graph.nodes) {
      if (node.op !== 'Transpose' || node.domain !== '') continue;
      const before = onlyFor(node, new GraphIndex(graph), (n) => n.op === 'Transpose');
      const [p, q] = [before && permutation(before), permutation(node)];
      if (!before || !p || !q) continue;
      node.inputs[0] = before.inputs[0];
      node.attributes['perm'] = ints(q.map((i) => p[i]!));
      graph.nodes = graph.nodes.filter((n) => n !== before);
      joined++;
    }
    return joined;
  },
};

/** Without `perm` axes are reversed. */
function permutation(node: Node): number[] | undefined {
  const rank = shapeKnown(node.inputs[0])?.length;
  return (
    intsOf(node, 'perm') ?? (rank === undefined ? undefined : [...Array(rank).keys()].reverse())
  );
}

const RESHAPES = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);
const isReshape = (n: Node) => RESHAPES.has(n.op);

/** Reshapes of any kind that follow each other: one Reshape to the last shape, which has at most one open size. */
export const joinReshapes: Pass = {
  summary: 'join Reshape, Flatten, Squeeze and Unsqueeze that follow each other',
  run({ graph }: Model) {
    const names = new Names(graph);
    let joined = 0;
    for (const node of graph.nodes) {
      if (!isReshape(node) || node.domain !== '') continue;
      const before = onlyFor(node, new GraphIndex(graph), isReshape);
      const target = shapeKnown(node.outputs[0])?.map((d) => (typeof d === 'number' ? d : -1));
      if (!before || !target || target.includes(0)) continue;
      if (target.filter((d) => d === -1).length > 1) continue;
      node.op = 'Reshape';
      node.attributes = {};
      node.inputs = [before.inputs[0], addTarget(graph, names, node, target)];
      graph.nodes = graph.nodes.filter((n) => n !== before);
      joined++;
    }
    return joined;
  },
};

function addTarget(graph: Graph, names: Names, node: Node, target: readonly number[]): Value {
  const tensor = Tensor.int64([target.length], target);
  const type = { kind: 'tensor', dtype: 'int64', shape: tensor.dims } as const;
  const value = new ValueOf(names.fresh(`${node.outputs[0]!.name}/shape`), type, tensor);
  graph.initializers.push(value);
  return value;
}
