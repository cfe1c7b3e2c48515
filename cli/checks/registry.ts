import type { Check } from './check.ts';
import { disk, node, provider, runtime, sandbox, settings } from './machine.ts';
import { redis } from './redis.ts';

/** What `lathe doctor` looks at. One line each. */
export const CHECKS = {
  node,
  settings,
  runtime,
  provider,
  redis,
  disk,
  sandbox,
} as const satisfies Record<string, Check>;
