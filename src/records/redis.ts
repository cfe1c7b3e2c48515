/** @file Connections to Redis, by what they are for. */

import { Redis, type RedisOptions } from 'ioredis';

export type { Redis };

/**
 * `request`: commands on behalf of somebody who waits: fail at once while Redis is away, never hang.
 * `steady`: commands of a worker: keep trying until Redis is back.
 * `subscriber`: nothing but subscriptions, renewed after each reconnection.
 */
export type ConnectionRole = 'request' | 'steady' | 'subscriber';

const ROLES: Readonly<Record<ConnectionRole, RedisOptions>> = {
  request: { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 5000 },
  steady: { maxRetriesPerRequest: null },
  subscriber: { maxRetriesPerRequest: null },
};

/** Connects by itself and keeps doing so; errors go to `onError` instead of ending the process. */
export function connectRedis(
  url: string,
  role: ConnectionRole,
  onError: (error: Error) => void = () => {},
): Redis {
  const redis = new Redis(url, {
    ...ROLES[role],
    connectTimeout: 5000,
    retryStrategy: (times) => Math.min(2000, times * 100),
  });
  redis.on('error', onError);
  return redis;
}
