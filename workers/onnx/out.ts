/** @file A protobuf message being written: small headers of ours between views of other people's bytes. */

const utf8 = new TextEncoder();

export class Out {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  raw(bytes: Uint8Array | undefined): this {
    if (bytes && bytes.length > 0) {
      this.#chunks.push(bytes);
      this.#length += bytes.length;
    }
    return this;
  }

  #header(field: number, wire: number): this {
    return this.raw(varint(field * 8 + wire));
  }

  int(field: number, value: number | bigint): this {
    const bytes =
      typeof value === 'number' && value >= 0 && value < 2 ** 31
        ? varint(value)
        : longVarint(BigInt(value));
    return this.#header(field, 0).raw(bytes);
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#header(field, 5).raw(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#header(field, 2).raw(varint(value.length)).raw(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  /** A string that is left out where it is empty. */
  text(field: number, value: string | undefined): this {
    return value ? this.string(field, value) : this;
  }

  stringOrBytes(field: number, value: string | Uint8Array): this {
    return typeof value === 'string' ? this.string(field, value) : this.bytes(field, value);
  }

  message(field: number, inner: Out): this {
    this.#header(field, 2).raw(varint(inner.#length));
    for (const chunk of inner.#chunks) this.#chunks.push(chunk);
    this.#length += inner.#length;
    return this;
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return out;
  }
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return Uint8Array.from(out);
}

/** A 64-bit integer; negative numbers take ten bytes, as protobuf wants. */
export function longVarint(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(out);
}
