/** @file ValueInfoProto, TypeProto, StringStringEntryProto and names of domains. */

import { ServiceError } from '../../src/contract/errors.ts';
import { DTYPE_NUMBERS, type DType } from './dtype.ts';
import type { Dim, ValueType } from './graph.ts';
import { type Message, unreadable } from './wire.ts';

/** A value as a graph declares it. */
export interface Declared {
  readonly name: string;
  readonly type: ValueType | undefined;
  readonly rest: Uint8Array | undefined;
}

export const plainDomain = (domain: string) => (domain === 'ai.onnx' ? '' : domain);

/** One key and its value. A plain object cannot hold the key `__proto__`. */
export function readEntry(fields: Message, into: Record<string, string>): void {
  let key = '';
  let value = '';
  for (const f of fields) {
    if (f.number === 1) key = f.string();
    else if (f.number === 2) value = f.string();
  }
  if (key === '__proto__') unreadable(`a metadata key is '${key}'`);
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

/** Where a sequence (4), map (5) or optional (9) type holds the type of its elements. */
const ELEMENT_TYPE: Readonly<Record<number, number>> = { 4: 1, 5: 2, 9: 1 };

/** A tensor type of a known element type; whatever else a type may be is carried encoded. */
function readType(fields: Message): ValueType | undefined {
  let type: ValueType | undefined;
  let opaque = false;
  for (const f of fields) {
    if (f.number === 1) type = f.message(readTensorType);
    else opaque = true;
    const inner = ELEMENT_TYPE[f.number];
    if (inner !== undefined) f.message((m) => readElement(m, inner));
  }
  return opaque ? { kind: 'opaque', bytes: fields.bytes } : type;
}

/** Looks into an element type for the sake of the limits only. */
function readElement(fields: Message, field: number): void {
  for (const f of fields) if (f.number === field) f.message(readType);
}

/** Undefined where a file states no element type: exporters write such empty types for values they know nothing of. */
function readTensorType(fields: Message): ValueType | undefined {
  let dtype: DType | undefined;
  let shape: Dim[] | undefined;
  for (const f of fields) {
    if (f.number === 1) {
      const number = f.number_();
      dtype = number === 0 ? undefined : dtypeOfNumber(number);
    } else if (f.number === 2) shape = f.message(readShape);
  }
  if (shape && shape.length > fields.budget.limits.rank) {
    throw new ServiceError('MODEL_TOO_COMPLEX', {
      what: 'axes of one tensor',
      limit: fields.budget.limits.rank,
    });
  }
  return dtype && { kind: 'tensor', dtype, shape };
}

function readShape(fields: Message): Dim[] {
  const shape: Dim[] = [];
  for (const f of fields) if (f.number === 1) shape.push(f.message(readDim));
  return shape;
}

/** Negative sizes are how some exporters write an unknown one. */
function readDim(fields: Message): Dim {
  let dim: Dim = null;
  for (const f of fields) {
    if (f.number === 1) {
      const size = f.number_();
      dim = size < 0 ? null : size;
    } else if (f.number === 2) dim = f.string() || null;
  }
  return dim;
}
