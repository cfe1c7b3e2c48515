/** @file ONNX protobuf → Model. Field numbers are those of onnx.proto (IR version 13). */

import { ServiceError } from '../../src/contract/errors.ts';
import { DTYPE_NUMBERS, type DType } from './dtype.ts';
import { type Dim, type Graph, type Model, type Node, Value, type ValueType } from './graph.ts';
import type { ReadLimits } from './limits.ts';
import { readAttribute } from './read-attribute.ts';
import { type External, readTensor } from './read-tensor.ts';
import { Budget, Message, unreadable } from './wire.ts';

export interface ReadOptions {
  /** Bytes of an external data file, by its plain name; absent: a model with external data is refused. */
  readonly external?: External;
  readonly limits?: Partial<ReadLimits>;
}

/**
 * Decode a model. Tensors are views into `bytes` (nothing is copied), so keep it unchanged while the model lives.
 *
 * @throws MODEL_UNREADABLE not a protobuf, cut short, or not an ONNX model
 * @throws MODEL_TOO_COMPLEX over one of the limits
 * @throws MODEL_INVALID a value that is used before it is made, or made twice
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  const budget = new Budget(options.limits);
  if (bytes.length === 0) unreadable('the file is empty');
  if (bytes.length > budget.limits.bytes) {
    throw new ServiceError('MODEL_TOO_COMPLEX', {
      what: 'bytes in the file',
      limit: budget.limits.bytes,
    });
  }
  try {
    return new Reading(options.external).model(new Message(bytes, budget));
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    return unreadable(`it is no valid protobuf (${(error as Error).message})`);
  }
}

/** Names in reach: those of the graph itself, then those of the graphs around it. */
type Scope = { readonly own: Map<string, Value>; readonly outer: Scope | undefined };

export class Reading {
  readonly external: External | undefined;

  constructor(external: External | undefined) {
    this.external = external;
  }

  model(fields: Message): Model {
    const model: Model = {
      irVersion: 0,
      opsets: {},
      producer: { name: '', version: '' },
      domain: '',
      modelVersion: 0,
      doc: '',
      metadata: {},
      functions: [],
      graph: undefined as unknown as Graph,
    };
    let graph: Uint8Array | undefined;
    for (const f of fields) {
      if (f.number === 1) model.irVersion = f.number_();
      else if (f.number === 2) model.producer.name = f.string();
      else if (f.number === 3) model.producer.version = f.string();
      else if (f.number === 4) model.domain = f.string();
      else if (f.number === 5) model.modelVersion = f.int();
      else if (f.number === 6) model.doc = f.string();
      else if (f.number === 7) graph = f.bytes();
      else if (f.number === 8) f.message((m) => readOpset(m, model.opsets));
      else if (f.number === 14) f.message((m) => readEntry(m, model.metadata));
      else if (f.number === 25) model.functions.push(f.bytes());
      else fields.keep();
    }
    if (graph === undefined || model.irVersion === 0)
      return unreadable('it has no graph or no IR version: this is another kind of file');
    model.graph = this.graph(new Message(graph, fields.budget, 1), undefined);
    if (fields.rest) model.rest = fields.rest;
    return model;
  }

  graph(fields: Message, outer: Scope | undefined): Graph {
    const graph: Graph = { name: '', inputs: [], outputs: [], nodes: [], initializers: [] };
    const scope: Scope = { own: new Map(), outer };
    const nodes: Uint8Array[] = [];
    const outputs: Declared[] = [];
    const described: Declared[] = [];
    const metadata: Record<string, string> = {};
    for (const f of fields) {
      if (f.number === 1) nodes.push(f.bytes());
      else if (f.number === 2) graph.name = f.string();
      else if (f.number === 5) {
        fields.budget.spend('initializers');
        const tensor = f.message((m) => readTensor(m, this.external));
        graph.initializers.push(declare(scope, tensor.name ?? '', undefined, tensor));
      } else if (f.number === 10) graph.doc = f.string();
      else if (f.number === 11) {
        const d = f.message(readValueInfo);
        graph.inputs.push(declareInput(scope, d));
      } else if (f.number === 12) outputs.push(f.message(readValueInfo));
      else if (f.number === 13) described.push(f.message(readValueInfo));
      else if (f.number === 16) f.message((m) => readEntry(m, metadata));
      else if (f.number === 15) graph.initializers.push(sparse(scope, f.bytes(), fields.budget));
      else fields.keep();
    }
    const types = new Map(described.map((d) => [d.name, d]));
    for (const bytes of nodes) {
      fields.budget.spend('nodes');
      graph.nodes.push(this.node(new Message(bytes, fields.budget, 2), scope, types));
    }
    for (const { name, type } of described) {
      const value = scope.own.get(name);
      if (value && type && !value.type) value.type = type;
    }
    graph.outputs = outputs.map((d) => this.output(d, scope));
    if (fields.rest) graph.rest = fields.rest;
    if (Object.keys(metadata).length > 0) graph.metadata = metadata;
    return graph;
  }

  /** A graph output: the value of that name, its declared type winning over an inferred one. */
  output(declared: Declared, scope: Scope): Value {
    const value = find(scope, declared.name);
    if (value === undefined) {
      throw new ServiceError('MODEL_INVALID', {
        where: `graph output '${declared.name}'`,
        why: 'no node, input or initializer makes it',
      });
    }
    if (declared.type) value.type = declared.type;
    if (declared.rest) value.rest = declared.rest;
    return value;
  }

  node(fields: Message, scope: Scope, types: ReadonlyMap<string, Declared>): Node {
    const node: Node = { name: '', op: '', domain: '', inputs: [], outputs: [], attributes: {} };
    const inputs: string[] = [];
    const outputs: string[] = [];
    const metadata: Record<string, string> = {};
    for (const f of fields) {
      if (f.number === 1) inputs.push(f.string());
      else if (f.number === 2) outputs.push(f.string());
      else if (f.number === 3) node.name = f.string();
      else if (f.number === 4) node.op = f.string();
      else if (f.number === 5) {
        fields.budget.spend('attributes');
        const { name, attribute } = f.message((m) =>
          readAttribute(m, this.external, (g) => this.graph(g, scope)),
        );
        node.attributes[name] = attribute;
      } else if (f.number === 6) node.doc = f.string();
      else if (f.number === 7) node.domain = plainDomain(f.string());
      else if (f.number === 8) node.overload = f.string();
      else if (f.number === 9) f.message((m) => readEntry(m, metadata));
      else fields.keep();
    }
    if (fields.rest) node.rest = fields.rest;
    if (Object.keys(metadata).length > 0) node.metadata = metadata;
    const label = node.name || `${node.op}(→ ${outputs[0] ?? '?'})`;
    node.inputs = inputs.map((name) => {
      if (name === '') return undefined;
      const value = find(scope, name);
      if (value) return value;
      throw new ServiceError('MODEL_INVALID', {
        where: `node '${label}'`,
        why: `its input '${name}' is not made by any earlier node, input or initializer (a dangling name, a cycle, or nodes out of order)`,
      });
    });
    node.outputs = outputs.map((name) => {
      if (name === '') return undefined;
      const d = types.get(name);
      const value = declare(scope, name, d?.type, undefined, undefined, label);
      if (d?.rest) value.rest = d.rest;
      return value;
    });
    return node;
  }
}

interface Declared {
  readonly name: string;
  readonly type: ValueType | undefined;
  readonly rest: Uint8Array | undefined;
}

function find(scope: Scope | undefined, name: string): Value | undefined {
  for (let s = scope; s; s = s.outer) {
    const value = s.own.get(name);
    if (value) return value;
  }
  return undefined;
}

function declare(
  scope: Scope,
  name: string,
  type?: ValueType,
  constant?: Value['constant'],
  rest?: Uint8Array,
  maker?: string,
): Value {
  if (scope.own.has(name)) {
    const known = scope.own.get(name)!;
    if (constant && !known.constant) {
      known.constant = constant;
      return known;
    }
    throw new ServiceError('MODEL_INVALID', {
      where: maker ? `node '${maker}'` : `'${name}'`,
      why: `the name '${name}' is given to two values`,
    });
  }
  const value = new Value(
    name,
    type ?? (constant && { kind: 'tensor', dtype: constant.dtype, shape: constant.dims }),
    constant,
  );
  if (rest) value.rest = rest;
  scope.own.set(name, value);
  return value;
}

/** An input; where an initializer has its name too, that initializer is the input's default. */
function declareInput(scope: Scope, d: Declared): Value {
  const known = scope.own.get(d.name);
  if (known?.constant) {
    if (d.type) known.type = d.type;
    return known;
  }
  return declare(scope, d.name, d.type, undefined, d.rest);
}

/** SparseTensorProto: carried encoded; its name is that of its values tensor. */
function sparse(scope: Scope, bytes: Uint8Array, budget: Budget): Value {
  let name = '';
  for (const f of new Message(bytes, budget, 2))
    if (f.number === 1) name = f.message((m) => readTensor(m, undefined)).name ?? '';
  const value = declare(scope, name, { kind: 'opaque', bytes: new Uint8Array() });
  value.sparse = bytes;
  return value;
}

const plainDomain = (domain: string) => (domain === 'ai.onnx' ? '' : domain);

function readOpset(fields: Message, opsets: Record<string, number>): void {
  let domain = '';
  let version = 0;
  for (const f of fields) {
    if (f.number === 1) domain = plainDomain(f.string());
    else if (f.number === 2) version = f.number_();
  }
  opsets[domain] = version;
}

function readEntry(fields: Message, into: Record<string, string>): void {
  let key = '';
  let value = '';
  for (const f of fields) {
    if (f.number === 1) key = f.string();
    else if (f.number === 2) value = f.string();
  }
  into[key] = value;
}

export function readValueInfo(fields: Message): Declared {
  let name = '';
  let type: ValueType | undefined;
  for (const f of fields) {
    if (f.number === 1) name = f.string();
    else if (f.number === 2) type = f.message(readType);
    else fields.keep();
  }
  return { name, type, rest: fields.rest };
}

const DTYPE_OF = new Map<number, DType>(
  Object.entries(DTYPE_NUMBERS).map(([k, v]) => [v, k as DType]),
);

export function dtypeOfNumber(number: number): DType {
  return DTYPE_OF.get(number) ?? unreadable(`element type ${number} is not one that ONNX defines`);
}

export function readType(fields: Message): ValueType | undefined {
  let type: ValueType | undefined;
  for (const f of fields) {
    if (f.number === 1 && type === undefined) type = f.message((m) => readTensorType(m));
    else if (f.number === 6) fields.keep();
    else return { kind: 'opaque', bytes: fields.bytes };
  }
  return fields.rest ? { kind: 'opaque', bytes: fields.bytes } : type;
}

function readTensorType(fields: Message): ValueType {
  let dtype: DType = 'float32';
  let shape: Dim[] | undefined;
  for (const f of fields) {
    if (f.number === 1) dtype = dtypeOfNumber(f.number_());
    else if (f.number === 2) shape = f.message(readShape);
  }
  if (shape && shape.length > fields.budget.limits.rank) {
    throw new ServiceError('MODEL_TOO_COMPLEX', {
      what: 'axes of one tensor',
      limit: fields.budget.limits.rank,
    });
  }
  return { kind: 'tensor', dtype, shape };
}

function readShape(fields: Message): Dim[] {
  const shape: Dim[] = [];
  for (const f of fields) if (f.number === 1) shape.push(f.message(readDim));
  return shape;
}

function readDim(fields: Message): Dim {
  let dim: Dim = null;
  for (const f of fields) {
    if (f.number === 1) dim = f.number_();
    else if (f.number === 2) dim = f.string() || null;
  }
  return dim;
}
