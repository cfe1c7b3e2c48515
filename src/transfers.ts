/** @file Files that arrive in their own time, over one Redis and one storage: uploads that resume, and imports. */

import type { Config } from './config.ts';
import { Imports } from './imports/imports.ts';
import { openSources } from './imports/registry.ts';
import type { IntakeNeeds } from './intake/take.ts';
import type { Redis } from './records/redis.ts';
import { Transfers } from './records/transfers.ts';
import { RedisLocker } from './resumable/locker.ts';
import { Resumable } from './resumable/resumable.ts';
import type { Seal } from './secrets/seal.ts';
import { openPartials } from './storage/registry.ts';
import type { Uploads } from './storage/uploads.ts';

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

export interface ImportOptions extends TransferOptions {
  readonly steady: Redis;
  readonly uploads: Uploads;
  readonly seal: Seal;
  /** Channel on which changes of records are told. */
  readonly changed: string;
}

/** Starts working on imports that are queued. */
export function openImports(config: Config, options: ImportOptions): Imports {
  const { redisPrefix: prefix, maxModelBytes, maxDatasetBytes, s3 } = config;
  const own = config.storage === 's3' ? s3.bucket : '';
  const { endpoint, region } = s3;
  return new Imports({
    ...options,
    prefix,
    transfers: new Transfers(options.redis, prefix, 'imports'),
    sources: openSources({
      allowPrivate: config.allowPrivateTargets,
      s3: { allowed: config.importBuckets, own, endpoint, region },
    }),
    most: { model: maxModelBytes, dataset: maxDatasetBytes },
    seconds: config.importSeconds,
  });
}
