/** @file Model → ONNX protobuf. Headers are written by hand around views of the weights, which are copied once. */

import { ServiceError } from '../../src/contract/errors.ts';
import { ATTRIBUTE_TYPES } from './attribute-types.ts';
import { DTYPE_NUMBERS } from './dtype.ts';
import type { Attribute, Dim, Graph, Model, Node, Value, ValueType } from './graph.ts';
import { Out } from './out.ts';
import type { Tensor } from './tensor.ts';

/** What protobuf, and so every runtime, takes at most. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Encode a model in one file. Raw data everywhere: typed fields and external files it came from are not kept.
 *
 * @throws MODEL_TOO_COMPLEX over 2 GiB
 */
export function writeModel(model: Model): Uint8Array {
  const out = new Out();
  out.int(1, model.irVersion);
  out.text(2, model.producer.name);
  out.text(3, model.producer.version);
  out.text(4, model.domain);
  if (model.modelVersion !== 0) out.int(5, model.modelVersion);
  out.text(6, model.doc);
  out.message(7, writeGraph(model.graph, declaredInputs(model)));
  for (const [domain, version] of Object.entries(model.opsets)) {
    out.message(8, new Out().text(1, domain).int(2, version));
  }
  writeEntries(out, 14, model.metadata);
  for (const bytes of model.functions) out.bytes(25, bytes);
  out.raw(model.rest);
  if (out.length > MOST_BYTES)
    throw new ServiceError('MODEL_TOO_COMPLEX', { what: 'bytes in one file', limit: MOST_BYTES });
  return out.finish();
}

function writeEntries(
  out: Out,
  field: number,
  entries: Readonly<Record<string, string>> = {},
): void {
  for (const [key, value] of Object.entries(entries)) {
    out.message(field, new Out().text(1, key).text(2, value));
  }
}

/** Before IR 4 every initializer of the outermost graph had to be an input too. */
function declaredInputs({ irVersion, graph }: Model): readonly Value[] {
  if (irVersion >= 4) return graph.inputs;
  return [...new Set([...graph.inputs, ...graph.initializers.filter((v) => v.constant)])];
}

function writeGraph(graph: Graph, inputs: readonly Value[] = graph.inputs): Out {
  const out = new Out();
  for (const node of graph.nodes) out.message(1, writeNode(node));
  out.text(2, graph.name);
  for (const value of graph.initializers) {
    if (value.sparse) out.bytes(15, value.sparse);
    else if (value.constant) out.message(5, writeTensor(value.constant, value.name));
  }
  out.text(10, graph.doc);
  for (const value of inputs) out.message(11, writeValueInfo(value));
  for (const value of graph.outputs) out.message(12, writeValueInfo(value));
  for (const value of describedValues(graph)) out.message(13, writeValueInfo(value));
  writeEntries(out, 16, graph.metadata);
  return out.raw(graph.rest);
}

/** Values between nodes whose type is known. */
function describedValues(graph: Graph): Value[] {
  const declared = new Set([...graph.inputs, ...graph.outputs]);
  return graph.nodes
    .flatMap((n) => n.outputs)
    .filter((v): v is Value => (v?.type ?? v?.rest) !== undefined && !declared.has(v!));
}

function writeNode(node: Node): Out {
  const out = new Out();
  for (const value of node.inputs) out.string(1, value?.name ?? '');
  for (const value of node.outputs) out.string(2, value?.name ?? '');
  out.text(3, node.name);
  out.text(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    out.message(5, writeAttribute(name, attribute));
  }
  out.text(6, node.doc);
  out.text(7, node.domain);
  out.text(8, node.overload);
  writeEntries(out, 9, node.metadata);
  return out.raw(node.rest);
}

function writeAttribute(name: string, attribute: Attribute): Out {
  const out = new Out();
  if (attribute.type === 'opaque') return out.raw(attribute.bytes);
  out.text(1, name);
  switch (attribute.type) {
    case 'float':
      out.float(2, attribute.value);
      break;
    case 'int':
      out.int(3, attribute.value);
      break;
    case 'string':
      out.stringOrBytes(4, attribute.value);
      break;
    case 'tensor':
      out.message(5, writeTensor(attribute.value, attribute.value.name ?? ''));
      break;
    case 'graph':
      out.message(6, writeGraph(attribute.value));
      break;
    case 'floats':
      for (const x of attribute.value) out.float(7, x);
      break;
    case 'ints':
      for (const x of attribute.value) out.int(8, x);
      break;
    case 'strings':
      for (const x of attribute.value) out.stringOrBytes(9, x);
      break;
    case 'graphs':
      for (const x of attribute.value) out.message(11, writeGraph(x));
      break;
  }
  return out.text(13, attribute.doc).int(20, ATTRIBUTE_TYPES[attribute.type]);
}

function writeTensor(tensor: Tensor, name: string): Out {
  const out = new Out();
  for (const d of tensor.dims) out.int(1, d);
  out.int(2, DTYPE_NUMBERS[tensor.dtype]);
  for (const s of tensor.strings ?? []) out.bytes(6, s);
  out.text(8, name);
  if (tensor.strings === undefined) out.bytes(9, tensor.bytes);
  return out.raw(tensor.rest);
}

function writeValueInfo(value: Value): Out {
  const out = new Out().text(1, value.name);
  if (value.type) out.message(2, writeType(value.type));
  return out.raw(value.rest);
}

function writeType(type: ValueType): Out {
  if (type.kind === 'opaque') return new Out().raw(type.bytes);
  const tensor = new Out().int(1, DTYPE_NUMBERS[type.dtype]);
  if (type.shape) {
    const shape = new Out();
    for (const dim of type.shape) shape.message(1, writeDim(dim));
    tensor.message(2, shape);
  }
  return new Out().message(1, tensor);
}

function writeDim(dim: Dim): Out {
  if (dim === null) return new Out();
  return typeof dim === 'number' ? new Out().int(1, dim) : new Out().text(2, dim);
}
