/** @file TensorProto → Tensor: the typed fields become little-endian bytes, raw data stays a view. */

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ServiceError } from '../../src/contract/errors.ts';
import { byteLength } from './dtype.ts';
import { dtypeOfNumber } from './read.ts';
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
  const dtype = dtypeOfNumber(t.type);
  const size = checkedSize(t.name, dims);
  const shape = dims.map(Number);
  const extra = { name: t.name, ...(fields.rest && { rest: fields.rest }) };
  if (dtype === 'string')
    return new Tensor(dtype, shape, new Uint8Array(), { ...extra, strings: t.strings });
  const want = byteLength(dtype, size);
  const bytes =
    location['location'] !== undefined
      ? fromFile(t.name, location, external, want)
      : (t.raw ?? fromNumbers(dtype, numbers, size));
  if (bytes.length !== want) {
    throw new ServiceError('MODEL_INVALID', {
      where: `tensor '${t.name}'`,
      why: `its shape [${shape}] of ${dtype} takes ${want} bytes, and the file holds ${bytes.length}`,
    });
  }
  return new Tensor(dtype, shape, bytes, extra);
}

/** Product of the dims, refused where it is negative or over 2⁵³. */
function checkedSize(name: string, dims: readonly (number | bigint)[]): number {
  let size = 1;
  for (const d of dims) {
    if (typeof d === 'bigint' || d < 0)
      throw new ServiceError('MODEL_INVALID', {
        where: `tensor '${name}'`,
        why: `a dimension is ${d}`,
      });
    size *= d;
    if (!Number.isSafeInteger(size))
      throw new ServiceError('MODEL_INVALID', {
        where: `tensor '${name}'`,
        why: 'the product of its dimensions overflows',
      });
  }
  return size;
}

function fieldBytes(f: Field): Uint8Array {
  if (f.wire === 2) return f.bytes();
  if (f.wire === 0) return varint(BigInt(f.int()));
  if (f.wire === 5) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, f.float(), true);
    return bytes;
  }
  return unreadable('a tensor holds doubles one by one, not packed');
}

function varint(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(out);
}

/** float_data and double_data are little-endian already; the varint fields hold one element, or two floats of a complex, each. */
function fromNumbers(
  dtype: Tensor['dtype'],
  lists: readonly { field: number; bytes: Uint8Array }[],
  size: number,
): Uint8Array {
  const joined = lists.length === 1 ? lists[0]!.bytes : Buffer.concat(lists.map((l) => l.bytes));
  const field = lists[0]?.field;
  if (field === undefined || field === 4 || field === 10) return joined;
  const width = byteLength(dtype, 2) / 2;
  const packed = width < 1;
  const out = new Uint8Array(byteLength(dtype, size));
  const view = new DataView(out.buffer);
  const reader = new BinaryReader(joined);
  const step = packed ? 1 : width;
  for (let at = 0; reader.pos < reader.len && at + step <= out.length; at += step) {
    const value = BigInt(reader.int64());
    if (step === 8) view.setBigInt64(at, BigInt.asIntN(64, value), true);
    else if (step === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
    else if (step === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
    else view.setUint8(at, Number(BigInt.asUintN(8, value)));
  }
  if (reader.pos < reader.len) return new Uint8Array(out.length + 1);
  return out;
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
  const invalid = (why: string): never => {
    throw new ServiceError('MODEL_INVALID', { where: `tensor '${name}'`, why });
  };
  const location = entry['location'] ?? '';
  if (!/^[^/\\\0]+$/.test(location) || location === '.' || location === '..') {
    return invalid(
      `its external data is at '${location}': only a plain file name inside the bundle is read`,
    );
  }
  if (external === undefined) {
    return invalid(
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
      `its range ${offset}+${length} lies outside '${location}' (${file.length} bytes)`,
    );
  return file.subarray(offset, offset + length);
}
