/** @file Protobuf fields one by one, over @bufbuild/protobuf's wire reader: bounded, and without a copy. */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { ServiceError } from '../../src/contract/errors.ts';
import { READ_LIMITS, type ReadLimits } from './limits.ts';

export const unreadable = (why: string): never => {
  throw new ServiceError('MODEL_UNREADABLE', { why });
};

const strict = new TextDecoder('utf-8', { fatal: true });

/** How much of the limits a file has used so far. */
export class Budget {
  readonly limits: ReadLimits;
  nodes = 0;
  attributes = 0;
  initializers = 0;

  constructor(limits: Partial<ReadLimits> = {}) {
    this.limits = { ...READ_LIMITS, ...limits };
  }

  spend(what: 'nodes' | 'attributes' | 'initializers'): void {
    this[what]++;
    if (this[what] > this.limits[what]) {
      throw new ServiceError('MODEL_TOO_COMPLEX', { what, limit: this.limits[what] });
    }
  }
}

/** One field of a message. The accessor that fits its ONNX type reads it. */
export class Field {
  readonly number: number;
  readonly wire: WireType;
  readonly #reader: BinaryReader;
  readonly #budget: Budget;
  readonly #depth: number;

  constructor(number: number, wire: WireType, reader: BinaryReader, budget: Budget, depth: number) {
    this.number = number;
    this.wire = wire;
    this.#reader = reader;
    this.#budget = budget;
    this.#depth = depth;
  }

  #expect(wire: WireType): void {
    if (this.wire !== wire)
      unreadable(`field ${this.number} has wire type ${this.wire}, not ${wire}`);
  }

  bytes(): Uint8Array {
    this.#expect(WireType.LengthDelimited);
    return this.#reader.bytes();
  }

  /** Text; bytes that are not UTF-8 are refused. */
  string(): string {
    const bytes = this.bytes();
    if (bytes.length > this.#budget.limits.stringBytes) {
      throw new ServiceError('MODEL_TOO_COMPLEX', {
        what: 'bytes of one string',
        limit: this.#budget.limits.stringBytes,
      });
    }
    return decode(bytes) ?? unreadable(`a string of field ${this.number} is not UTF-8`);
  }

  /** Text where it is UTF-8, else the bytes themselves. */
  stringOrBytes(): string | Uint8Array {
    const bytes = this.bytes();
    return decode(bytes) ?? bytes;
  }

  int(): number | bigint {
    this.#expect(WireType.Varint);
    return narrow(this.#reader.int64() as bigint);
  }

  /** An integer that must be a safe one: versions, enums. */
  number_(): number {
    const value = this.int();
    return typeof value === 'number' ? value : unreadable(`field ${this.number} is out of range`);
  }

  float(): number {
    this.#expect(WireType.Bit32);
    return this.#reader.float();
  }

  double(): number {
    this.#expect(WireType.Bit64);
    return this.#reader.double();
  }

  /** Repeated integers, packed or one by one. */
  ints(into: (number | bigint)[], most: number): void {
    if (this.wire === WireType.Varint) into.push(this.int());
    else {
      const packed = new BinaryReader(this.bytes());
      while (packed.pos < packed.len) {
        into.push(narrow(packed.int64() as bigint));
        if (into.length > most)
          throw new ServiceError('MODEL_TOO_COMPLEX', {
            what: 'integers in one list',
            limit: most,
          });
      }
    }
  }

  /** Repeated float32, packed or one by one. */
  floats(into: number[]): void {
    if (this.wire === WireType.Bit32) into.push(this.float());
    else {
      const bytes = this.bytes();
      if (bytes.length % 4 !== 0) unreadable('a packed list of floats is cut');
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let i = 0; i < bytes.length; i += 4) into.push(view.getFloat32(i, true));
    }
  }

  message<T>(read: (fields: Message) => T): T {
    return read(new Message(this.bytes(), this.#budget, this.#depth + 1));
  }
}

/** The fields of one message, in file order. Those nobody reads are kept as they stand in `rest`. */
export class Message implements Iterable<Field> {
  readonly budget: Budget;
  readonly bytes: Uint8Array;
  readonly #depth: number;
  readonly #rest: Uint8Array[] = [];
  #keep = false;

  constructor(bytes: Uint8Array, budget: Budget, depth = 0) {
    if (depth > budget.limits.depth) {
      throw new ServiceError('MODEL_TOO_COMPLEX', {
        what: 'messages inside messages',
        limit: budget.limits.depth,
      });
    }
    this.bytes = bytes;
    this.budget = budget;
    this.#depth = depth;
  }

  *[Symbol.iterator](): Generator<Field> {
    const reader = new BinaryReader(this.bytes);
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [number, wire] = reader.tag();
      const body = reader.pos;
      this.#keep = false;
      yield new Field(number, wire, reader, this.budget, this.#depth);
      if (this.#keep) {
        reader.pos = body;
        reader.skip(wire, number);
        this.#rest.push(this.bytes.subarray(start, reader.pos));
      } else if (reader.pos === body) reader.skip(wire, number);
    }
  }

  /** Carry the field at hand along, encoded: the writer puts it back. */
  keep(): void {
    this.#keep = true;
  }

  get rest(): Uint8Array | undefined {
    return this.#rest.length === 0 ? undefined : Buffer.concat(this.#rest);
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
