/** @file GraphProto and NodeProto → Graph: names become objects. */

import { ServiceError } from '../../src/contract/errors.ts';
import { type Graph, type Node, nodeLabel, Value, type ValueType } from './graph.ts';
import { readAttribute } from './read-attribute.ts';
import { type External, readTensor } from './read-tensor.ts';
import { type Declared, plainDomain, readEntry, readValueInfo } from './read-type.ts';
import type { Tensor } from './tensor.ts';
import { isSorted, sortNodes } from './topological.ts';
import { type Message, unreadable } from './wire.ts';

/** Names in reach: those of the graph itself, then those of the graphs around it. */
type Scope = { readonly own: Map<string, Value>; readonly outer: Scope | undefined };

/** A node whose names are not looked up yet. */
interface Draft {
  readonly node: Node;
  readonly inputs: readonly string[];
  readonly attributes: readonly Message[];
}

export class GraphReader {
  readonly #external: External | undefined;

  constructor(external: External | undefined) {
    this.#external = external;
  }

  graph(fields: Message, outer: Scope | undefined): Graph {
    const graph: Graph = { name: '', inputs: [], outputs: [], nodes: [], initializers: [] };
    const scope: Scope = { own: new Map(), outer };
    const nodes: Message[] = [];
    const outputs: Declared[] = [];
    const described = new Map<string, Declared>();
    const metadata: Record<string, string> = {};
    for (const f of fields) {
      if (f.number === 1) nodes.push(f.message((m) => m));
      else if (f.number === 2) graph.name = f.string();
      else if (f.number === 5)
        graph.initializers.push(f.message((m) => this.#initializer(m, scope)));
      else if (f.number === 10) graph.doc = f.string();
      else if (f.number === 11) graph.inputs.push(declareInput(scope, f.message(readValueInfo)));
      else if (f.number === 12) outputs.push(f.message(readValueInfo));
      else if (f.number === 13) {
        const d = f.message(readValueInfo);
        described.set(d.name, d);
      } else if (f.number === 15) graph.initializers.push(f.message((m) => sparse(m, scope)));
      else if (f.number === 16) f.message((m) => readEntry(m, metadata));
      else fields.keep();
    }
    const drafts = nodes.map((m) => this.#draft(m, scope));
    for (const draft of drafts) this.#link(draft, scope);
    graph.nodes = drafts.map((d) => d.node);
    for (const d of described.values()) describe(scope.own.get(d.name), d);
    graph.outputs = outputs.map((d) => output(d, scope));
    if (!isSorted(graph)) sortNodes(graph);
    if (fields.rest) graph.rest = fields.rest;
    if (Object.keys(metadata).length > 0) graph.metadata = metadata;
    return graph;
  }

  #initializer(fields: Message, scope: Scope): Value {
    fields.budget.spend('initializers');
    const tensor = readTensor(fields, this.#external);
    return declare(scope, tensor.name ?? '', undefined, tensor);
  }

  /** The node's own words; its outputs are declared, so that a node that stands before it may use them. */
  #draft(fields: Message, scope: Scope): Draft {
    fields.budget.spend('nodes');
    const node: Node = { name: '', op: '', domain: '', inputs: [], outputs: [], attributes: {} };
    const inputs: string[] = [];
    const outputs: string[] = [];
    const attributes: Message[] = [];
    const metadata: Record<string, string> = {};
    for (const f of fields) {
      if (f.number === 1) inputs.push(f.string());
      else if (f.number === 2) outputs.push(f.string());
      else if (f.number === 3) node.name = f.string();
      else if (f.number === 4) node.op = f.string();
      else if (f.number === 5) attributes.push(f.message((m) => m));
      else if (f.number === 6) node.doc = f.string();
      else if (f.number === 7) node.domain = plainDomain(f.string());
      else if (f.number === 8) node.overload = f.string();
      else if (f.number === 9) f.message((m) => readEntry(m, metadata));
      else fields.keep();
    }
    if (fields.rest) node.rest = fields.rest;
    if (Object.keys(metadata).length > 0) node.metadata = metadata;
    const label = node.name || `${node.op}(→ ${outputs[0] ?? '?'})`;
    node.outputs = outputs.map((y) => (y === '' ? undefined : declare(scope, y, label)));
    return { node, inputs, attributes };
  }

  #link({ node, inputs, attributes }: Draft, scope: Scope): void {
    node.inputs = inputs.map((name) => {
      if (name === '') return undefined;
      return find(scope, name) ?? dangling(node, name);
    });
    for (const fields of attributes) {
      fields.budget.spend('attributes');
      const { name, attribute } = readAttribute(fields, this.#external, (g) =>
        this.graph(g, scope),
      );
      if (name === '__proto__') unreadable(`node '${nodeLabel(node)}' has an attribute '${name}'`);
      node.attributes[name] = attribute;
    }
  }
}

function dangling(node: Node, name: string): never {
  throw new ServiceError('MODEL_INVALID', {
    where: `node '${nodeLabel(node)}'`,
    why: `its input '${name}' is made by no node, and is no graph input or initializer`,
  });
}

/** A graph output: the value of that name, its declared type winning over an inferred one. */
function output(declared: Declared, scope: Scope): Value {
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

/** What `value_info` says of a value that nothing better is known of. */
function describe(value: Value | undefined, { type, rest }: Declared): void {
  if (value === undefined) return;
  if (type && !value.type) value.type = type;
  if (rest && !value.rest) value.rest = rest;
}

function find(scope: Scope | undefined, name: string): Value | undefined {
  for (let s = scope; s; s = s.outer) {
    const value = s.own.get(name);
    if (value) return value;
  }
  return undefined;
}

/** A new name in the scope; an input of that name without a constant takes the constant as its default. */
function declare(
  scope: Scope,
  name: string,
  maker: string | undefined,
  constant?: Tensor,
  type: ValueType | undefined = constant && {
    kind: 'tensor',
    dtype: constant.dtype,
    shape: constant.dims,
  },
): Value {
  const known = scope.own.get(name);
  if (known && constant && !known.constant && maker === undefined) {
    known.constant = constant;
    return known;
  }
  if (known) {
    throw new ServiceError('MODEL_INVALID', {
      where: maker ? `node '${maker}'` : `'${name}'`,
      why: `the name '${name}' is given to two values`,
    });
  }
  const value = new Value(name, type, constant);
  scope.own.set(name, value);
  return value;
}

/** An input; where an initializer has its name too, that initializer is the input's default. */
function declareInput(scope: Scope, d: Declared): Value {
  const known = scope.own.get(d.name);
  const value = known?.constant ? known : declare(scope, d.name, undefined, undefined, d.type);
  if (d.type) value.type = d.type;
  if (d.rest) value.rest = d.rest;
  return value;
}

/** SparseTensorProto: carried encoded; its name is that of its values tensor. */
function sparse(fields: Message, scope: Scope): Value {
  fields.budget.spend('initializers');
  let name = '';
  for (const f of fields)
    if (f.number === 1) name = f.message((m) => readTensor(m, undefined)).name ?? '';
  const value = declare(scope, name, undefined, undefined, {
    kind: 'opaque',
    bytes: new Uint8Array(),
  });
  value.sparse = fields.bytes;
  return value;
}
