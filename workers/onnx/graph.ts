/**
 * @file The representation of an ONNX model that every rewrite works on. No protobuf here.
 *
 * A graph is a multigraph of values and nodes: a value is one object however often it is used, and a
 * node may take it several times (SiLU is Mul(x, Sigmoid(x))). Objects are mutable: a rewrite owns the
 * model it was given. Who makes and who uses a value is asked of `GraphIndex` (uses.ts), never stored.
 */

import type { DType } from './dtype.ts';
import type { Tensor } from './tensor.ts';

/** A known size, a named one ('batch'), or one that nothing is known about. */
export type Dim = number | string | null;

export interface TensorType {
  readonly kind: 'tensor';
  readonly dtype: DType;
  /** Undefined: even the rank is unknown. */
  readonly shape: readonly Dim[] | undefined;
}

/** A type that Lathe carries but does not look into: sequence, map, optional, sparse tensor. */
export interface OpaqueType {
  readonly kind: 'opaque';
  /** The encoded TypeProto. */
  readonly bytes: Uint8Array;
}

export type ValueType = TensorType | OpaqueType;

/** A tensor that flows along an edge: graph input, initializer or node output. Identity is by object. */
export class Value {
  name: string;
  /** As declared (inputs, outputs, value_info) or inferred; undefined where nothing is known. */
  type: ValueType | undefined;
  /** The constant that it always holds: this value is an initializer. */
  constant: Tensor | undefined;
  /** Encoded fields of its declaration that Lathe does not look into (docs, metadata). */
  rest?: Uint8Array;
  /** An encoded SparseTensorProto: a constant that Lathe carries but does not look into. */
  sparse?: Uint8Array;

  constructor(name: string, type?: ValueType, constant?: Tensor) {
    this.name = name;
    this.type = type;
    this.constant = constant;
  }
}

/**
 * An attribute with its ONNX kind (an INT 1 and a FLOAT 1 differ). Integers are numbers where they are
 * safe integers and bigints elsewhere. Strings are kept as bytes where they are not UTF-8.
 */
export type Attribute = AttributeValue & { readonly doc?: string };

type AttributeValue =
  | { readonly type: 'int'; readonly value: number | bigint }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string | Uint8Array }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'ints'; readonly value: readonly (number | bigint)[] }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly (string | Uint8Array)[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  /** Kinds that Lathe carries without looking into them (type protos, sparse tensors, tensor lists). */
  | { readonly type: 'opaque'; readonly bytes: Uint8Array };

export interface Node {
  /** May be empty: ONNX does not require node names. `nodeLabel(node)` always says something. */
  name: string;
  op: string;
  /** '' is ai.onnx. */
  domain: string;
  /** Undefined: an optional input that is left out. */
  inputs: (Value | undefined)[];
  /** Undefined: an optional output that is not asked for. */
  outputs: (Value | undefined)[];
  attributes: Record<string, Attribute>;
  doc?: string;
  overload?: string;
  metadata?: Record<string, string>;
  /** Encoded fields that Lathe does not look into. */
  rest?: Uint8Array;
}

export interface Graph {
  name: string;
  doc?: string;
  metadata?: Record<string, string>;
  inputs: Value[];
  outputs: Value[];
  /** In an order in which they can run. */
  nodes: Node[];
  /** Values with a `constant`, in file order. A constant that is also in `inputs` is a default (IR < 4). */
  initializers: Value[];
  /** Encoded fields that Lathe does not look into. */
  rest?: Uint8Array;
}

export interface Model {
  irVersion: number;
  /** Domain → version. '' is ai.onnx. */
  opsets: Record<string, number>;
  producer: { name: string; version: string };
  domain: string;
  modelVersion: number | bigint;
  doc: string;
  /** metadata_props, in file order (a plain object keeps it). */
  metadata: Record<string, string>;
  graph: Graph;
  /** Model-local functions, carried as encoded bytes. */
  functions: Uint8Array[];
  /** Encoded top-level fields that Lathe does not look into. */
  rest?: Uint8Array;
}

/** What to call a node in a message: its name, else its op and what it makes. */
export function nodeLabel(node: Node): string {
  return node.name || `${node.op}(→ ${node.outputs.find((v) => v !== undefined)?.name ?? '?'})`;
}

/** The shape of a value as declared or inferred; undefined where even the rank is unknown, or it is no tensor. */
export const shapeKnown = (v: Value | undefined): readonly Dim[] | undefined =>
  v?.type?.kind === 'tensor' ? v.type.shape : undefined;

/** The element type of a value; undefined where it is unknown, or it is no tensor. */
export const dtypeKnown = (v: Value | undefined): DType | undefined =>
  v?.type?.kind === 'tensor' ? v.type.dtype : undefined;

/** A model with nothing in it, for a reader or builder to fill. */
export const emptyModel = (irVersion: number, opset?: number): Model => ({
  irVersion,
  opsets: opset === undefined ? {} : { '': opset },
  producer: { name: '', version: '' },
  domain: '',
  modelVersion: 0,
  doc: '',
  metadata: {},
  functions: [],
  graph: { name: '', inputs: [], outputs: [], nodes: [], initializers: [] },
});
