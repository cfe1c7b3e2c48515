/** @file Walking a tensor channel by channel. */

/** Where channel c of `axis` lies: `outer` runs of `inner` consecutive elements. */
export interface Channels {
  readonly count: number;
  /** Calls `visit` with the index of every element of channel c, in memory order. */
  each(c: number, visit: (index: number) => void): void;
}

export function channelsOf(dims: readonly number[], axis: number): Channels {
  const count = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = dims.slice(0, axis).reduce((n, d) => n * d, 1);
  return {
    count,
    each(c, visit) {
      for (let o = 0; o < outer; o++) {
        const start = (o * count + c) * inner;
        for (let i = start; i < start + inner; i++) visit(i);
      }
    },
  };
}
