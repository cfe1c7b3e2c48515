/** @file Protobuf by hand, for files that no writer would make. */

import { Out } from '../../../workers/onnx/out.ts';

/** A file with this graph, at opset 17. */
export const file = (graph: Out, opset = 17): Uint8Array =>
  new Out().int(1, 8).message(8, new Out().int(2, opset)).message(7, graph).finish();

/** GraphProto: nodes, then input x and output y, each float[2]. */
export function graph(nodes: readonly Out[], more = new Out()): Out {
  const out = new Out();
  for (const node of nodes) out.message(1, node);
  return out.raw(more.finish()).message(11, valueInfo('x')).message(12, valueInfo('y'));
}

export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  more = new Out(),
): Out {
  const out = new Out();
  for (const name of inputs) out.string(1, name);
  for (const name of outputs) out.string(2, name);
  return out.text(4, op).raw(more.finish());
}

export const valueInfo = (name: string, dtype = 1): Out =>
  new Out().text(1, name).message(2, tensorType(dtype, [2]));

const tensorType = (dtype: number, shape: readonly number[]): Out => {
  const dims = new Out();
  for (const d of shape) dims.message(1, new Out().int(1, d));
  return new Out().message(1, new Out().int(1, dtype).message(2, dims));
};

/** TensorProto of a name, dims and element type; `more` holds its data. */
export function tensor(
  name: string,
  dims: readonly number[],
  dtype: number,
  more = new Out(),
): Out {
  const out = new Out();
  for (const d of dims) out.int(1, d);
  return out.int(2, dtype).text(8, name).raw(more.finish());
}

/** `inner` wrapped in message fields, again and again. */
export function nested(
  times: number,
  fields: readonly number[],
  inner = new Uint8Array(),
): Uint8Array {
  let bytes: Uint8Array = inner;
  for (let i = 0; i < times; i++)
    for (const field of fields) bytes = new Out().bytes(field, bytes).finish();
  return bytes;
}
