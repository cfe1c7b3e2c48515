/** @file Tensors as numbers, and numbers as tensors. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { DType } from './dtype.ts';
import { bytesOf, Tensor } from './tensor.ts';

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const;

export type NumericDType = keyof typeof ARRAYS;
export type TypedArray = InstanceType<(typeof ARRAYS)[NumericDType]>;

export const isNumeric = (dtype: DType): dtype is NumericDType => dtype in ARRAYS;

/**
 * The elements as a typed array, without a copy where they are aligned. float16 and bfloat16 come as their bits
 * (Uint16Array), 8-bit floats as theirs (Uint8Array), sub-byte types as packed bytes.
 */
export function valuesOf(tensor: Tensor): TypedArray {
  const { dtype, bytes } = tensor;
  const Type = isNumeric(dtype)
    ? ARRAYS[dtype]
    : dtype.endsWith('float16')
      ? Uint16Array
      : Uint8Array;
  const size = bytes.byteLength / Type.BYTES_PER_ELEMENT;
  if (bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0)
    return new Type(bytes.buffer as ArrayBuffer, bytes.byteOffset, size);
  // Not bytes.slice(): a Buffer's slice is a view.
  return new Type(Uint8Array.from(bytes).buffer, 0, size);
}

/** The elements as numbers. int64 beyond 2⁵³ lose their last bits: shapes and axes never are. */
export function numbersOf(tensor: Tensor): number[] {
  if (tensor.dtype === 'float16') return Array.from(valuesOf(tensor) as Uint16Array, halfToNumber);
  if (tensor.dtype === 'bfloat16')
    return Array.from(valuesOf(tensor) as Uint16Array, bfloatToNumber);
  return Array.from(valuesOf(tensor) as ArrayLike<number | bigint>, Number);
}

/** The elements of a float tensor (float32, float64, float16, bfloat16) as float32. */
export function floatsOf(tensor: Tensor): Float32Array {
  if (tensor.dtype === 'float32') return valuesOf(tensor) as Float32Array;
  return Float32Array.from(numbersOf(tensor));
}

export function makeTensor(
  dtype: NumericDType,
  dims: readonly number[],
  numbers: ArrayLike<number>,
): Tensor {
  if (dtype === 'int64') return Tensor.int64(dims, numbers);
  if (dtype === 'uint64')
    return new Tensor(dtype, dims, bytesOf(BigUint64Array.from(Array.from(numbers, BigInt))));
  const Type = ARRAYS[dtype] as unknown as { from(x: ArrayLike<number>): ArrayBufferView };
  return new Tensor(dtype, dims, bytesOf(Type.from(numbers)));
}

/** A tensor of any type that holds numbers: also float16 and bfloat16, rounded to nearest. */
export function numbersAs(
  dtype: DType,
  dims: readonly number[],
  numbers: readonly number[],
): Tensor {
  if (isNumeric(dtype)) return makeTensor(dtype, dims, numbers);
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const toBits = dtype === 'float16' ? numberToHalf : numberToBfloat;
    return new Tensor(dtype, dims, bytesOf(Uint16Array.from(numbers, toBits)));
  }
  throw new ServiceError('MODEL_INVALID', {
    where: 'a constant',
    why: `numbers cannot be stored as ${dtype}`,
  });
}

/** IEEE 754 binary16. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** Nearest binary16 of a number, ties to even; beyond 65504 infinity. */
export function numberToHalf(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const step = 2 ** (exponent - 10);
  // A fraction that rounds up to the next power of two carries into the exponent by itself.
  const steps = roundEven(size / step);
  return sign | (exponent === -14 ? steps : ((exponent + 14) << 10) + steps);
}

function roundEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** Upper half of the float32, rounded to nearest, ties to even. */
export function numberToBfloat(x: number): number {
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(x)) return 0x7fc0;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

export function bfloatToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
