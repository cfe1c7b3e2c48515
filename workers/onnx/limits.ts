/** @file Bounds on what the reader takes from a file that nobody has vouched for. */

export interface ReadLimits {
  /** Bytes of the whole protobuf; protobuf itself ends at 2 GiB. */
  readonly bytes: number;
  /** Messages inside messages. */
  readonly depth: number;
  readonly nodes: number;
  readonly attributes: number;
  readonly initializers: number;
  /** Axes of one tensor. */
  readonly rank: number;
  /** Bytes of one name, doc or metadata string. */
  readonly stringBytes: number;
}

export const READ_LIMITS: ReadLimits = {
  bytes: 2 ** 31 - 1,
  depth: 64,
  nodes: 200_000,
  attributes: 1_000_000,
  initializers: 200_000,
  rank: 64,
  stringBytes: 16 * 2 ** 20,
};
