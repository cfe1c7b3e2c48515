/** @file Connections to addresses that others name. */

import { Agent } from 'undici';

import type { Lookup } from './addresses.ts';

/**
 * @param lookup how names are resolved at each connection
 * @param connectMs longest time to connect @param silenceMs longest time without a byte
 */
export const guardedAgent = (lookup: Lookup, connectMs: number, silenceMs: number): Agent =>
  new Agent({
    connect: { lookup: lookup as never, timeout: connectMs },
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    keepAliveTimeout: 1000,
  });
