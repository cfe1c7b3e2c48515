/** @file Searches, one line each. The first is the default. */

import { global } from './global.ts';
import { greedy } from './greedy.ts';
import { latencyAware } from './latency-aware.ts';
import type { Search } from './search.ts';
import { sensitivity } from './sensitivity.ts';
import { uniform } from './uniform.ts';

export const SEARCHES = {
  greedy,
  sensitivity,
  global,
  uniform,
  'latency-aware': latencyAware,
} as const satisfies Record<string, Search>;

export type SearchName = keyof typeof SEARCHES;
