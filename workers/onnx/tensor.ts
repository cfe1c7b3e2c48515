/** @file Constant tensors: a type, dims and little-endian bytes. Decoded only when somebody looks. */

import type { DType } from './dtype.ts';

export class Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /**
   * Little-endian elements in row-major order, sub-byte types packed as ONNX packs them; possibly an unaligned
   * view into the file. Empty for strings.
   */
  readonly bytes: Uint8Array;
  readonly strings: readonly Uint8Array[] | undefined;
  /** Name the tensor had inside an attribute, where it had one. */
  readonly name: string | undefined;
  /** Encoded fields that Lathe does not look into (docs, metadata). */
  readonly rest: Uint8Array | undefined;

  constructor(
    dtype: DType,
    dims: readonly number[],
    bytes: Uint8Array,
    extra: { strings?: readonly Uint8Array[]; name?: string; rest?: Uint8Array } = {},
  ) {
    this.dtype = dtype;
    this.dims = dims;
    this.bytes = bytes;
    this.strings = extra.strings;
    this.name = extra.name;
    this.rest = extra.rest;
  }

  static float32(dims: readonly number[], data: ArrayLike<number>): Tensor {
    const values = data instanceof Float32Array ? data : Float32Array.from(data);
    return new Tensor('float32', dims, bytesOf(values));
  }

  static int64(dims: readonly number[], data: ArrayLike<number> | BigInt64Array): Tensor {
    const values =
      data instanceof BigInt64Array ? data : BigInt64Array.from(Array.from(data, toInt64));
    return new Tensor('int64', dims, bytesOf(values));
  }

  /** Number of elements. */
  get size(): number {
    return this.dims.reduce((n, d) => n * d, 1);
  }
}

/** "To the end" is 2⁶³ − 1, which as a number is 2⁶³: it must not wrap around. */
export function toInt64(x: number): bigint {
  const exact = BigInt(x);
  return exact >= 2n ** 63n ? 2n ** 63n - 1n : exact;
}

/** The bytes under a typed array, without a copy. */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
