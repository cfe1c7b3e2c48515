/** @file Spoiled copies of files: the same for the same number. */

/** Park and Miller's generator. @returns the next number in [0, 1) */
export function generator(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x08, 0x50, 0x4b, 0x1f, 0x8b];

/** One change of `bytes` in place, or a new array where the length changes. */
type Mutation = (bytes: Uint8Array, random: () => number, other: Uint8Array) => Uint8Array;

const at = (length: number, random: () => number) => Math.floor(random() * Math.max(1, length));

const flipBit: Mutation = (bytes, random) => {
  bytes[at(bytes.length, random)]! ^= 1 << at(8, random);
  return bytes;
};

const setByte: Mutation = (bytes, random) => {
  const value = INTERESTING[at(INTERESTING.length, random)]!;
  bytes[at(bytes.length, random)] = random() < 0.5 ? value : at(256, random);
  return bytes;
};

/** A length or a count of many bytes: what readers trust too soon. */
const hugeVarint: Mutation = (bytes, random) => {
  const start = at(bytes.length, random);
  bytes.fill(0xff, start, Math.min(bytes.length, start + 1 + at(9, random)));
  return bytes;
};

const cut: Mutation = (bytes, random) => bytes.slice(0, at(bytes.length, random));

const remove: Mutation = (bytes, random) => {
  const start = at(bytes.length, random);
  const end = Math.min(bytes.length, start + 1 + at(64, random));
  return joined(bytes.subarray(0, start), bytes.subarray(end));
};

const repeat: Mutation = (bytes, random) => {
  const start = at(bytes.length, random);
  const end = Math.min(bytes.length, start + 1 + at(256, random));
  const part = bytes.subarray(start, end);
  const times = 1 + at(8, random);
  return joined(
    bytes.subarray(0, end),
    ...Array<Uint8Array>(times).fill(part),
    bytes.subarray(end),
  );
};

const splice: Mutation = (bytes, random, other) => {
  const start = at(other.length, random);
  const part = other.subarray(start, start + 1 + at(512, random));
  const to = at(bytes.length, random);
  return joined(bytes.subarray(0, to), part, bytes.subarray(to));
};

const MUTATIONS = [flipBit, flipBit, setByte, setByte, hugeVarint, cut, remove, repeat, splice];

const MOST_BYTES = 2 ** 20;

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The spoiled file of this number. */
export function mutated(seeds: readonly Uint8Array[], number: number): Uint8Array {
  const random = generator(number * 7919 + 13);
  let bytes: Uint8Array = seeds[at(seeds.length, random)]!.slice();
  const other = seeds[at(seeds.length, random)]!;
  const times = 1 + at(4, random);
  for (let i = 0; i < times && bytes.length > 0; i++)
    bytes = MUTATIONS[at(MUTATIONS.length, random)]!(bytes, random, other);
  return bytes.subarray(0, MOST_BYTES);
}
