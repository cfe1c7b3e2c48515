import type { Check } from './check.ts';
import { disk, node, provider, runtime, sandbox, settings } from './machine.ts';
import { redis } from './redis.ts';
import { access, storage, workers } from './service.ts';

/** What `lathe doctor` looks at. One line each. */
export const CHECKS = {
  node,
  settings,
  runtime,
  provider,
  redis,
  disk,
  storage,
  access,
  workers,
  sandbox,
} as const satisfies Record<string, Check>;
