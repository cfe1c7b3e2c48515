/** @file The real application over a Redis and a folder of its own, for one test file. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import supertest from 'supertest';

import { buildApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { openServices } from '../../src/services.ts';
import { writeModel } from '../../workers/onnx/write.ts';
import { testRedis } from '../helpers/redis.ts';
import { colourFolder, tinyModel } from '../workers/job/tiny.ts';
import { watchContract } from './contract.ts';

export async function openSite(env: Readonly<Record<string, string>> = {}) {
  const redis = await testRedis();
  const folder = mkdtempSync(join(tmpdir(), 'lathe-api-'));
  const config = readConfig({
    REDIS_URL: redis.url,
    LATHE_REDIS_PREFIX: redis.prefix,
    LATHE_DATA_DIR: folder,
    LATHE_ALLOW_PRIVATE_TARGETS: '1',
    ...env,
  });
  const closing = new AbortController();
  const log = pino({ level: 'silent' });
  const services = await openServices(config, log, closing.signal);
  const app = await buildApp(services.collaborators, {
    apiKeys: config.apiKeys,
    operators: config.operators,
    anyHost: config.insecure,
    rateLimit: config.rateLimit,
    version: '0.0.0',
    logger: log,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const contract = watchContract(app);
  await ready(() => services.collaborators.pingRedis());
  const { port } = app.server.address() as { port: number };
  return {
    app,
    services,
    redis,
    contract,
    closing,
    port,
    url: `http://127.0.0.1:${port}`,
    http: supertest(`http://127.0.0.1:${port}`),
    /** Uploads on their way, and stored files. */
    incoming: () => filesBelow(join(folder, 'incoming')),
    stored: () => filesBelow(join(folder, 'blobs')),
    folder,
    async close() {
      closing.abort();
      await app.close();
      await services.close();
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type Site = Awaited<ReturnType<typeof openSite>>;

async function ready(ping: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return void (await ping());
    } catch (error) {
      if (tries > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** A model like no other: the same file for the same number. */
export function modelFile(number = 0): Buffer {
  const model = tinyModel();
  model.metadata['number'] = String(number);
  return Buffer.from(writeModel(model));
}

/** Colours in class folders, as a tar. */
export async function datasetFile(images = 3): Promise<Buffer> {
  const root = mkdtempSync(join(tmpdir(), 'lathe-colours-'));
  const folder = await colourFolder(join(root, 'colours'), images);
  execFileSync('tar', ['-cf', join(root, 'colours.tar'), '-C', folder, '.']);
  const bytes = readFileSync(join(root, 'colours.tar'));
  rmSync(root, { recursive: true });
  return bytes;
}

export const BYTES = 'application/octet-stream';
