/** @file A process that delivers webhooks and does nothing else: `lathe serve --role webhooks`. */

import type { Logger } from 'pino';

import type { Config } from './config.ts';
import { Jobs } from './records/jobs.ts';
import { connectRedis } from './records/redis.ts';
import { sealFor } from './secrets/seal.ts';
import { told } from './services.ts';
import { openTraces } from './traces/traces.ts';
import { Webhooks } from './webhooks/webhooks.ts';

/** While Redis is away it waits and says so. @returns how to stop: messages under way end, the others wait */
export async function startDeliveries(
  config: Config,
  log: Logger,
): Promise<{ close(): Promise<void> }> {
  const { redisUrl, redisPrefix: prefix, allowPrivateTargets } = config;
  const onError = told(log);
  const redis = connectRedis(redisUrl, 'steady', onError);
  const waiting = connectRedis(redisUrl, 'steady', onError);
  const jobs = new Jobs(redis, prefix);
  const traces = await openTraces(config.tracesUrl, 'lathe-webhooks');
  const seal = await sealFor(config);
  const webhooks = new Webhooks({ jobs, redis, seal, allowPrivate: allowPrivateTargets });
  const deliveries = webhooks.deliver({ jobs, prefix, redis, waiting, traces, onError });
  log.info('delivering');
  return {
    async close() {
      await deliveries.close();
      await traces.close().catch(onError);
      for (const connection of [redis, waiting]) connection.disconnect();
    },
  };
}
