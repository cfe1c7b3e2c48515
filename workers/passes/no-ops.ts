import { intsOf } from '../onnx/attributes.ts';
import {
  dtypeKnown,
  type Graph,
  type Model,
  type Node,
  shapeKnown,
  type Value,
} from '../onnx/graph.ts';
import { replaceUses } from '../onnx/uses.ts';
import { numbersOf } from '../onnx/values.ts';
import type { Pass } from './pass.ts';

/** Same shape, every size known. */
function sameShape(node: Node): boolean {
  const [x, y] = [shapeKnown(node.inputs[0]), shapeKnown(node.outputs[0])];
  return (
    x !== undefined &&
    y !== undefined &&
    x.length === y.length &&
    x.every((d, i) => typeof d === 'number' && d === y[i])
  );
}

const isConstant = (v: Value | undefined, test: (numbers: number[]) => boolean) =>
  v?.constant !== undefined && test(numbersOf(v.constant));

/** The other operand is `neutral` throughout, and does not widen the result. */
const isNeutral = (neutral: number) => (node: Node) =>
  sameShape(node) && isConstant(node.inputs[1], (c) => c.every((x) => x === neutral));

/** Op → whether the node returns its first input unchanged. */
const NO_OPS: Readonly<Record<string, (node: Node) => boolean>> = {
  Identity: () => true,
  // In inference the mask is not made and nothing is dropped; training_mode is a third input.
  Dropout: (n) =>
    n.outputs[1] === undefined &&
    (n.inputs[2] === undefined || isConstant(n.inputs[2], ([t]) => t === 0)),
  Cast: (n) =>
    dtypeKnown(n.inputs[0]) !== undefined && dtypeKnown(n.inputs[0]) === dtypeKnown(n.outputs[0]),
  CastLike: (n) =>
    dtypeKnown(n.inputs[0]) !== undefined && dtypeKnown(n.inputs[0]) === dtypeKnown(n.outputs[0]),
  Reshape: sameShape,
  Flatten: sameShape,
  Squeeze: sameShape,
  Unsqueeze: sameShape,
  Expand: sameShape,
  Transpose: (n) => intsOf(n, 'perm')?.every((p, i) => p === i) ?? false,
  Slice: (n) =>
    sameShape(n) &&
    (n.inputs[4] === undefined || isConstant(n.inputs[4], (s) => s.every((x) => x > 0))),
  Pad: (n) => isConstant(n.inputs[1], (p) => p.every((x) => x === 0)),
  Tile: (n) => isConstant(n.inputs[1], (r) => r.every((x) => x === 1)),
  Add: isNeutral(0),
  Sub: isNeutral(0),
  Mul: isNeutral(1),
  Div: isNeutral(1),
  Pow: isNeutral(1),
  Concat: (n) => n.inputs.length === 1,
  Sum: (n) => n.inputs.length === 1,
  Mean: (n) => n.inputs.length === 1,
  Max: (n) => n.inputs.length === 1,
  Min: (n) => n.inputs.length === 1,
};

/** Nodes that return what they are given. */
export const dropNoOps: Pass = {
  summary:
    'remove Identity, Dropout and reshapes, casts, slices, pads, factors that change nothing',
  run: ({ graph }: Model) => {
    const going = graph.nodes.filter((n) => n.domain === '' && (NO_OPS[n.op]?.(n) ?? false));
    return going.filter((node) => bypass(graph, node)).length;
  },
};

/** Let users of a node's output use its input instead. A graph output keeps its name. */
export function bypass(graph: Graph, node: Node): boolean {
  const x = node.inputs[0]!;
  const y = node.outputs[0]!;
  if (graph.outputs.includes(y)) {
    const producer = graph.nodes.find((n) => n.outputs.includes(x));
    if (!producer || graph.outputs.includes(x)) return false;
    // The producer makes the output itself: the inner name goes, the outer one stays.
    producer.outputs = producer.outputs.map((v) => (v === x ? y : v));
    node.outputs = [];
    graph.nodes = graph.nodes.filter((n) => n !== node);
    replaceUses(graph, x, y);
    return true;
  }
  replaceUses(graph, y, x);
  graph.nodes = graph.nodes.filter((n) => n !== node);
  return true;
}
