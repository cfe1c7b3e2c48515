/** @file Which numbers of a tensor belong to which channel of a group. */

/** What a tensor is to the group: it makes the channels, shifts or scales them, or takes them in. */
export type Role = 'producer' | 'bias' | 'norm' | 'consumer';

/** A tensor of which every channel of a group owns some entries along one axis. */
export interface Slice {
  readonly role: Role;
  readonly dims: readonly number[];
  /** Row-major. */
  readonly values: ArrayLike<number>;
  readonly axis: number;
  /** Per channel, its entries along `axis`. */
  readonly indices: readonly (readonly number[])[];
}

/** Call `visit` with the place of every number that channel `c` owns, in row-major order per entry. */
export function eachPlace(slice: Slice, c: number, visit: (place: number) => void): void {
  const { dims, axis } = slice;
  const size = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = dims.slice(0, axis).reduce((n, d) => n * d, 1);
  for (const index of slice.indices[c]!)
    for (let o = 0; o < outer; o++) {
      const start = (o * size + index) * inner;
      for (let i = start; i < start + inner; i++) visit(i);
    }
}

/** Σ f(w) over everything that each channel owns in all the slices. */
export function sums(slices: readonly Slice[], f: (w: number) => number): Float64Array {
  const total = new Float64Array(slices[0]?.indices.length ?? 0);
  for (const slice of slices)
    for (let c = 0; c < total.length; c++) {
      let sum = 0;
      eachPlace(slice, c, (place) => {
        sum += f(slice.values[place]!);
      });
      total[c]! += sum;
    }
  return total;
}

/**
 * Numbers along a tensor's axis to numbers per channel: what a channel owns is added up.
 *
 * @param along one number per entry of the axis
 */
export function perChannel(
  along: ArrayLike<number>,
  indices: readonly (readonly number[])[],
): Float64Array {
  return Float64Array.from(indices, (own) => own.reduce((sum, i) => sum + along[i]!, 0));
}

/** What channel `c` owns in all the slices, laid end to end. */
export function vectorOf(slices: readonly Slice[], c: number): Float64Array {
  const out: number[] = [];
  for (const slice of slices) eachPlace(slice, c, (place) => out.push(slice.values[place]!));
  return Float64Array.from(out);
}
