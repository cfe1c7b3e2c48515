/** @file What can go wrong around a service at work, each as something that is done and undone. */

import { randomInt } from 'node:crypto';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startRedis } from '../../scripts/redis.mjs';
import { connectRedis } from '../../src/records/redis.ts';
import { childrenOf, kill } from './site.ts';
import type { Storm } from './storm.ts';

export interface Fault {
  /** Do it once, and undo it where somebody must. */
  inject(storm: Storm): Promise<void>;
  /** Environment of every API and worker. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the files are kept in; default: a folder. */
  readonly storage?: 'small disk' | 's3';
}

const between = (least: number, most: number) => sleep(randomInt(least, most));

export const FAULTS = {
  'API killed': {
    inject: ({ api }) => kill(api!.process, 'SIGKILL'), // the storm starts another
  },
  'worker killed': {
    inject: async ({ workers }) => {
      await kill(workers[randomInt(workers.length)]!, 'SIGKILL');
    },
  },
  'job process killed': {
    async inject({ workers }) {
      for (let tries = 0; tries < 400; tries++) {
        const children = workers.flatMap(childrenOf);
        const child = children[randomInt(Math.max(1, children.length))];
        if (child !== undefined) return void process.kill(child, 'SIGKILL');
        await sleep(25);
      }
    },
  },
  'Redis killed': {
    async inject(storm) {
      const { port, dir, pid } = storm.redis;
      process.kill(pid, 'SIGKILL');
      await between(100, 1500);
      storm.redis = await startRedis({ port, dir });
    },
  },
  'Redis paused': {
    async inject({ redis: { pid }, pauseMs }) {
      process.kill(pid, 'SIGSTOP');
      await sleep(pauseMs);
      process.kill(pid, 'SIGCONT');
    },
  },
  'connections cut': {
    async inject({ redis: { url } }) {
      const client = connectRedis(url, 'steady');
      for (const type of ['normal', 'pubsub'])
        await client.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      client.disconnect();
    },
  },
  'disk full': {
    storage: 'small disk',
    env: { LATHE_MIN_FREE_BYTES: '0' },
    async inject({ data }) {
      const filler = join(data, 'filler');
      const { bavail, bsize } = statfsSync(data);
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize)));
      await between(500, 2000);
      rmSync(filler);
    },
  },
  'S3 answers 500': {
    storage: 's3',
    async inject({ s3 }) {
      s3!.trouble = 'error';
      await between(300, 2000);
      s3!.trouble = 'none';
    },
  },
  'S3 is slow': {
    storage: 's3',
    async inject({ s3 }) {
      s3!.trouble = 'slow';
      await between(300, 2000);
      s3!.trouble = 'none';
    },
  },
  'clock steps': {
    env: { NODE_OPTIONS: `--import ${join(import.meta.dirname, 'clock-step.mjs')}` },
    async inject({ api, workers }) {
      for (const one of [api!.process, ...workers]) one.kill('SIGUSR2');
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;
