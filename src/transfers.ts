/** @file Files that arrive in their own time: uploads that resume, over one Redis and one storage. */

import type { Config } from './config.ts';
import type { IntakeNeeds } from './intake/take.ts';
import type { Redis } from './records/redis.ts';
import { Transfers } from './records/transfers.ts';
import { RedisLocker } from './resumable/locker.ts';
import { Resumable } from './resumable/resumable.ts';
import { openPartials } from './storage/registry.ts';

export interface TransferOptions extends IntakeNeeds {
  readonly redis: Redis;
  /** Does nothing but subscriptions. */
  readonly subscriber: Redis;
  readonly closing: AbortSignal;
  readonly onError: (error: Error) => void;
}

export function openResumable(config: Config, options: TransferOptions): Resumable {
  const { redis, subscriber, onError } = options;
  const { redisPrefix: prefix, maxModelBytes, maxDatasetBytes } = config;
  const locker = new RedisLocker(redis, subscriber, prefix);
  void locker.start().catch(onError);
  return new Resumable({
    ...options,
    prefix,
    locker,
    transfers: new Transfers(redis, prefix, 'uploads'),
    partials: openPartials(config),
    most: { model: maxModelBytes, dataset: maxDatasetBytes },
    hours: config.uploadHours,
  });
}
