/** @file What a pruning can take away. The first is the default. */

export const GRANULARITY_NAMES = ['channel', 'head', 'block', 'unstructured', '2:4'] as const;

export type GranularityName = (typeof GRANULARITY_NAMES)[number];
