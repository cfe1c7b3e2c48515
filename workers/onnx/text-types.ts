/** @file Types and tensors as text: `float[2, N] `, `int64[3] {1, 2, 3}`. */

import { byteLength, type DType } from './dtype.ts';
import type { Dim, TensorType } from './graph.ts';
import { Tensor } from './tensor.ts';
import { isPlainWord, type Tokens } from './text-tokens.ts';
import { isNumeric, numbersAs, numbersOf, valuesOf } from './values.ts';

/** ONNX's words for element types, where they differ from ours. */
const WORDS: Readonly<Partial<Record<DType, string>>> = { float32: 'float', float64: 'double' };
const DTYPES = new Map<string, DType>(
  Object.entries(WORDS).map(([dtype, word]) => [word, dtype as DType]),
);

export const dtypeWord = (dtype: DType): string => WORDS[dtype] ?? dtype;
export const wordDtype = (word: string): DType => DTYPES.get(word) ?? (word as DType);

export const quoted = (name: string) => (isPlainWord(name) ? name : JSON.stringify(name));

export function printShape(shape: readonly Dim[]): string {
  const dims = shape.map((d) => (d === null ? '?' : typeof d === 'number' ? String(d) : quoted(d)));
  return `[${dims.join(', ')}]`;
}

/** `float[2, 3]`; `float[]` is a scalar and bare `float` has an unknown rank. */
export const printType = ({ dtype, shape }: TensorType): string =>
  `${dtypeWord(dtype)}${shape ? printShape(shape) : ''}`;

export function parseShape(tokens: Tokens): Dim[] {
  return tokens.list('[', ']', () => {
    if (tokens.accept('?')) return null;
    const token = tokens.take('number', 'word', 'string');
    return token.kind === 'number' ? Number(token.text) : token.text;
  });
}

export function parseType(tokens: Tokens): TensorType {
  const dtype = wordDtype(tokens.take('word').text);
  return { kind: 'tensor', dtype, shape: tokens.sees('[') ? parseShape(tokens) : undefined };
}

/** Elements between braces. Types that have no plain numbers (4-bit, 8-bit floats, complex) come as one string of hex bytes. */
export function printElements(tensor: Tensor, most = Number.POSITIVE_INFINITY): string {
  const some = (all: readonly string[]) =>
    `{${(all.length > most ? [...all.slice(0, most), '…'] : all).join(', ')}}`;
  if (tensor.strings)
    return some(tensor.strings.map((s) => JSON.stringify(Buffer.from(s).toString('utf8'))));
  if (isNumeric(tensor.dtype)) return some(Array.from(valuesOf(tensor), printNumber));
  if (/^b?float16$/.test(tensor.dtype)) return some(numbersOf(tensor).map(printNumber));
  return some([JSON.stringify(Buffer.from(tensor.bytes).toString('hex'))]);
}

export function printNumber(x: number | bigint): string {
  if (typeof x === 'bigint' || Number.isFinite(x)) return Object.is(x, -0) ? '-0' : String(x);
  return Number.isNaN(x) ? 'nan' : x > 0 ? 'inf' : '-inf';
}

export const parseNumber = (text: string): number =>
  Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'));

export function parseElements(tokens: Tokens, { dtype, shape }: TensorType): Tensor {
  const dims = (shape ?? []).map(Number);
  const words = tokens.list('{', '}', () => tokens.take('number', 'string').text);
  const size = dims.reduce((n, d) => n * d, 1);
  if (dtype === 'string')
    return new Tensor(dtype, dims, new Uint8Array(), { strings: words.map((w) => Buffer.from(w)) });
  if (dtype === 'int64' || dtype === 'uint64') {
    if (words.length !== size) tokens.fail(`${size} elements before this`);
    const values = BigInt64Array.from(words, (w) => BigInt.asIntN(64, BigInt(w)));
    return new Tensor(dtype, dims, new Uint8Array(values.buffer));
  }
  if (isNumeric(dtype) || /^b?float16$/.test(dtype)) {
    if (words.length !== size) tokens.fail(`${size} elements before this`);
    return numbersAs(dtype, dims, words.map(parseNumber));
  }
  const bytes = Uint8Array.from(Buffer.from(words[0] ?? '', 'hex'));
  if (bytes.length !== byteLength(dtype, size))
    tokens.fail(`${byteLength(dtype, size)} bytes in hex`);
  return new Tensor(dtype, dims, bytes);
}
