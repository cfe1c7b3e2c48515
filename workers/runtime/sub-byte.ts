/** @file Values of 2 or 4 bits per element: onnxruntime-node aborts the process when it is to return one. */

import { intOf } from '../onnx/attributes.ts';
import { DTYPE_NUMBERS, type DType } from '../onnx/dtype.ts';
import type { Graph, Node, Value } from '../onnx/graph.ts';

export const SUB_BYTE: ReadonlySet<DType> = new Set([
  'int4',
  'uint4',
  'int2',
  'uint2',
  'float4e2m1',
] as const);

const SUB_BYTE_NUMBERS = new Set([...SUB_BYTE].map((dtype) => DTYPE_NUMBERS[dtype]));

/** Ops that give their first input's element type on. */
const CARRIERS = new Set(
  'Identity Reshape Transpose Squeeze Unsqueeze Flatten Slice Gather Concat Split Expand Tile Pad'.split(
    ' ',
  ),
);

/** The values of a graph that hold 2- or 4-bit elements, whether their type is declared or not. */
export function subByteValues(graph: Graph): Set<Value> {
  const found = new Set<Value>();
  const holds = (v: Value | undefined): boolean =>
    v !== undefined && (found.has(v) || SUB_BYTE.has(v.constant?.dtype ?? declared(v)!));
  for (const v of [...graph.inputs, ...graph.initializers]) if (holds(v)) found.add(v);
  for (const node of graph.nodes) {
    const made = makesSubByte(node, holds);
    for (const y of node.outputs) if (y && (made || SUB_BYTE.has(declared(y)!))) found.add(y);
  }
  return found;
}

const declared = (v: Value): DType | undefined =>
  v.type?.kind === 'tensor' ? v.type.dtype : undefined;

function makesSubByte(node: Node, holds: (v: Value | undefined) => boolean): boolean {
  if (node.op === 'Cast') return SUB_BYTE_NUMBERS.has(intOf(node, 'to', 0) as never);
  if (node.op === 'CastLike') return holds(node.inputs[1]);
  if (node.op === 'QuantizeLinear')
    return holds(node.inputs[2]) || SUB_BYTE_NUMBERS.has(intOf(node, 'output_dtype', 0) as never);
  return CARRIERS.has(node.op) && holds(node.inputs[0]);
}
