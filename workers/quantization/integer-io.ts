/** @file Option `io: quantized`: the outermost Q and DQ taken off, so that inputs and outputs are integers. */

import { IO_KEY, type PortCodes } from '../onnx/float-face.ts';
import {
  dtypeKnown,
  type Graph,
  type Model,
  type Node,
  shapeKnown,
  type Value,
} from '../onnx/graph.ts';
import { GraphIndex, replaceUses, valuesUsedIn } from '../onnx/uses.ts';
import { numbersOf } from '../onnx/values.ts';
import { cutsOf } from '../runtime/parts.ts';

/** What became of one input or output. */
export type Port = { readonly name: string } & (PortCodes | { readonly float: string });

/**
 * Outputs that one scale can hold: those that join parts of different makers (boxes and scores) stay in float, since
 * one scale for pixels and for numbers below 1 rounds every score to 0.
 */
export function integerOutputs(graph: Graph): Value[] {
  return graph.outputs.filter((v) => dtypeKnown(v) === 'float32' && !hasParts(graph, v));
}

const hasParts = (graph: Graph, v: Value): boolean =>
  cutsOf(graph, v).some((cuts) => cuts.size > 0);

/** Take the Q behind each float input and the DQ before each float output away; records what the integers stand for. */
export function makeIntegerIo(model: Model): Port[] {
  const { graph } = model;
  const index = new GraphIndex(graph);
  const codes: Record<string, PortCodes> = {};
  const ports: Port[] = [];
  const gone = new Set<Node>();
  const tell = (name: string, found: PortCodes | string) => {
    if (typeof found !== 'string') codes[name] = found;
    ports.push({ name, ...(typeof found === 'string' ? { float: found } : found) });
  };
  for (const x of graph.inputs)
    if (!x.constant && dtypeKnown(x) === 'float32') tell(x.name, inputCodes(x, graph, index, gone));
  for (const y of [...graph.outputs])
    if (dtypeKnown(y) === 'float32') tell(y.name, outputCodes(y, graph, index, gone));
  graph.nodes = graph.nodes.filter((n) => !gone.has(n));
  const used = valuesUsedIn(graph);
  graph.initializers = graph.initializers.filter((v) => used.has(v) || graph.inputs.includes(v));
  model.metadata[IO_KEY] = JSON.stringify(codes);
  return ports;
}

function inputCodes(
  x: Value,
  graph: Graph,
  index: GraphIndex,
  gone: Set<Node>,
): PortCodes | string {
  const [use, ...others] = index.uses(x);
  if (use?.node.op !== 'QuantizeLinear' || others.length > 0) return 'nodes in float read it too';
  const { node } = use;
  const found = codesOf(node);
  x.type = { kind: 'tensor', dtype: found.dtype, shape: shapeKnown(x) };
  replaceUses(graph, node.outputs[0]!, x);
  gone.add(node);
  return found;
}

function outputCodes(
  y: Value,
  graph: Graph,
  index: GraphIndex,
  gone: Set<Node>,
): PortCodes | string {
  const node = index.producer(y);
  if (node?.op !== 'DequantizeLinear')
    return 'it joins parts of different makers, which share no scale';
  const inner = node.inputs[0]!;
  if (index.uses(y).length > 0 || index.uses(inner).length > 1) return 'other nodes read it too';
  const found = codesOf(index.producer(inner)!);
  graph.outputs = graph.outputs.map((v) => (v === y ? inner : v));
  inner.name = y.name;
  inner.type = { kind: 'tensor', dtype: found.dtype, shape: shapeKnown(y) };
  gone.add(node);
  return found;
}

function codesOf({ inputs: [, scale, zero] }: Node): PortCodes {
  const { constant } = zero!;
  const [zeroPoint] = numbersOf(constant!);
  return {
    dtype: constant!.dtype as PortCodes['dtype'],
    scale: numbersOf(scale!.constant!)[0]!,
    zeroPoint: zeroPoint!,
  };
}
