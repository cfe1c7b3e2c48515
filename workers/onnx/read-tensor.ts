/** @file TensorProto → Tensor: the typed fields become little-endian bytes, raw data stays a view. */

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ServiceError } from '../../src/contract/errors.ts';
import { byteLength, type DType } from './dtype.ts';
import { longVarint } from './out.ts';
import { dtypeOfNumber } from './read-type.ts';
import { Tensor } from './tensor.ts';
import { type Field, type Message, unreadable } from './wire.ts';

/** Bytes of an external data file, by its plain name. */
export type External = (location: string) => Uint8Array;

interface Draft {
  name: string;
  type: number;
  raw: Uint8Array | undefined;
  strings: Uint8Array[];
}

export function readTensor(fields: Message, external: External | undefined): Tensor {
  const t: Draft = { name: '', type: 0, raw: undefined, strings: [] };
  const location: Record<string, string> = {};
  const dims: (number | bigint)[] = [];
  const numbers: { field: number; bytes: Uint8Array }[] = [];
  for (const f of fields) {
    if (f.number === 1) f.ints(dims, fields.budget.limits.rank);
    else if (f.number === 2) t.type = f.number_();
    else if (
      f.number === 4 ||
      f.number === 5 ||
      f.number === 7 ||
      f.number === 10 ||
      f.number === 11
    )
      numbers.push({ field: f.number, bytes: fieldBytes(f) });
    else if (f.number === 6) t.strings.push(f.bytes());
    else if (f.number === 8) t.name = f.string();
    else if (f.number === 9) t.raw = f.bytes();
    else if (f.number === 13) f.message((m) => readLocation(m, location));
    else if (f.number === 14) f.number_();
    else if (f.number === 3)
      unreadable(`tensor '${t.name}' is stored in segments, which no version of ONNX uses`);
    else fields.keep();
  }
  return build(t, dims, numbers, location, external, fields.rest);
}

function build(
  t: Draft,
  dims: readonly (number | bigint)[],
  numbers: readonly Packed[],
  location: Record<string, string>,
  external: External | undefined,
  rest: Uint8Array | undefined,
): Tensor {
  const dtype = dtypeOfNumber(t.type);
  const size = checkedSize(t.name, dims);
  const shape = dims.map(Number);
  const extra = { name: t.name, ...(rest && { rest }) };
  if (dtype === 'string') {
    if (t.strings.length !== size)
      invalid(
        t.name,
        `its shape [${shape}] takes ${size} strings, and the file holds ${t.strings.length}`,
      );
    return new Tensor(dtype, shape, new Uint8Array(), { ...extra, strings: t.strings });
  }
  const want = byteLength(dtype, size);
  const bytes =
    location['location'] !== undefined
      ? fromFile(t.name, location, external, want)
      : (t.raw ?? fromNumbers(t.name, dtype, numbers, size));
  if (bytes.length !== want)
    invalid(
      t.name,
      `its shape [${shape}] of ${dtype} takes ${want} bytes, and the file holds ${bytes.length}`,
    );
  return new Tensor(dtype, shape, bytes, extra);
}

const invalid = (name: string, why: string): never => {
  throw new ServiceError('MODEL_INVALID', { where: `tensor '${name}'`, why });
};

/** Product of the dims, refused where it is negative or over 2⁵³. */
function checkedSize(name: string, dims: readonly (number | bigint)[]): number {
  let size = 1;
  for (const d of dims) {
    if (typeof d === 'bigint' || d < 0) return invalid(name, `a dimension is ${d}`);
    size *= d;
    if (!Number.isSafeInteger(size)) invalid(name, 'the product of its dimensions overflows');
  }
  return size;
}

function fieldBytes(f: Field): Uint8Array {
  if (f.wire === 2) return f.bytes();
  if (f.wire === 0) return longVarint(BigInt(f.int()));
  if (f.wire === 5) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, f.float(), true);
    return bytes;
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, f.double(), true);
  return bytes;
}

interface Packed {
  readonly field: number;
  readonly bytes: Uint8Array;
}

/** The typed field that each element type is stored in: float_data, int32_data, int64_data, double_data or uint64_data. */
function fieldOf(dtype: DType): number {
  if (dtype === 'float32' || dtype === 'complex64') return 4;
  if (dtype === 'float64' || dtype === 'complex128') return 10;
  if (dtype === 'int64') return 7;
  return dtype === 'uint32' || dtype === 'uint64' ? 11 : 5;
}

/** float_data and double_data are little-endian already; a varint of the others holds one element, or two or four below a byte. */
function fromNumbers(
  name: string,
  dtype: DType,
  lists: readonly Packed[],
  size: number,
): Uint8Array {
  const field = fieldOf(dtype);
  if (lists.some((l) => l.field !== field && l.bytes.length > 0))
    invalid(name, `its elements are ${dtype}, but stand in a field for another type`);
  const joined = lists.length === 1 ? lists[0]!.bytes : Buffer.concat(lists.map((l) => l.bytes));
  if (field === 4 || field === 10) return joined;
  const step = Math.max(1, byteLength(dtype, 1));
  const count = Math.ceil(byteLength(dtype, size) / step);
  // Each takes a byte at least: what a file cannot hold is refused before memory is asked for.
  if (count > joined.length)
    invalid(name, `its shape takes ${size} elements, and the file holds fewer`);
  const out = new Uint8Array(count * step);
  const view = new DataView(out.buffer);
  const reader = new BinaryReader(joined);
  let at = 0;
  for (; reader.pos < reader.len && at < out.length; at += step) put(view, at, step, reader);
  if (reader.pos < reader.len || at < out.length)
    invalid(name, `its shape takes ${size} elements, and the file holds another number of them`);
  return out;
}

function put(view: DataView, at: number, step: number, reader: BinaryReader): void {
  if (step === 8) view.setBigInt64(at, BigInt.asIntN(64, BigInt(reader.int64())), true);
  else if (step === 4) view.setInt32(at, reader.int32(), true);
  else if (step === 2) view.setInt16(at, reader.int32(), true);
  else view.setInt8(at, reader.int32());
}

function readLocation(fields: Message, into: Record<string, string>): void {
  let key = '';
  let value = '';
  for (const f of fields) {
    if (f.number === 1) key = f.string();
    else if (f.number === 2) value = f.string();
  }
  into[key] = value;
}

/** A range of a file of the bundle: a plain file name, inside the file, of just the right size. */
function fromFile(
  name: string,
  entry: Record<string, string>,
  external: External | undefined,
  want: number,
): Uint8Array {
  const location = entry['location'] ?? '';
  if (!/^[^/\\\0]+$/.test(location) || location === '.' || location === '..') {
    return invalid(
      name,
      `its external data is at '${location}': only a plain file name inside the bundle is read`,
    );
  }
  if (external === undefined) {
    return invalid(
      name,
      `its data is in another file ('${location}'): upload an archive with the model and its data files`,
    );
  }
  const file = external(location);
  const offset = Number(entry['offset'] ?? 0);
  const length = entry['length'] === undefined ? want : Number(entry['length']);
  const fits =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset + length <= file.length;
  if (!fits)
    return invalid(
      name,
      `its range ${offset}+${length} lies outside '${location}' (${file.length} bytes)`,
    );
  return file.subarray(offset, offset + length);
}
