/** @file The API process: read the configuration, build the application, listen, close on a signal. */

import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';

import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';

import { buildApp } from './app.ts';
import { type Config, ConfigError, checkExposure, readConfig } from './config.ts';
import { openLog } from './logging/log.ts';
import { openServices } from './services.ts';
import { ownVersion } from './version.ts';
import { startDeliveries } from './webhook-process.ts';

export interface RunningServer {
  readonly url: string;
  readonly port: number;
  /** Not ready; streams end; requests under way are answered; then deliveries, queue and Redis. */
  close(): Promise<void>;
}

/** @throws ConfigError it may not listen there; a Node error (EADDRINUSE …) where it cannot */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  checkExposure(config);
  const closing = new AbortController();
  const services = await openServices(config, log, closing.signal);
  const app = await buildApp(services.collaborators, {
    apiKeys: config.apiKeys,
    operators: config.operators,
    anyHost: config.insecure,
    rateLimit: config.rateLimit,
    version: ownVersion(),
    logger: log,
  });
  const close = async () => {
    closing.abort();
    // A connection that was busy when closing began would stay open for its keep-alive time.
    const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_MS);
    await app.close().finally(() => clearInterval(idle));
    await services.close();
  };
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await close();
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return { url: `http://${host}:${port}`, port, close };
}

const GRACE_MS = 15_000;
const IDLE_MS = 100;

/** Wrong settings, an address that is taken: whoever starts us can mend it. */
const EXIT_USAGE = 2;

/** `lathe serve`: until SIGTERM or SIGINT; with `LATHE_ROLE=webhooks` it only delivers. */
export async function runServer(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  try {
    await serve(readConfig(env));
  } catch (error) {
    const sentence = startFailure(error as NodeJS.ErrnoException & { port?: number });
    if (sentence === undefined) throw error;
    process.stderr.write(`${sentence}\n`);
    process.exit(EXIT_USAGE);
  }
}

/**
 * V8 doubles the space for new objects whenever many of them live on, up to tens of megabytes, and two thousand clients that listen do
 * live on. Requests here leave little behind, so the space stays as large as starting up has made it: a third less resident memory.
 */
const KEEP_YOUNG_SPACE = '--semi-space-growth-factor=1';

async function serve(config: Config): Promise<void> {
  setFlagsFromString(KEEP_YOUNG_SPACE);
  const log = openLog(config.role === 'webhooks' ? 'webhooks' : 'api', config.logLevel);
  for (const warning of config.warnings) log.warn(warning);
  const server =
    config.role === 'webhooks' ? await startDeliveries(config, log) : await listen(config, log);
  closeWithGrace({ delay: GRACE_MS }, async ({ err, signal }) => {
    if (err) log.error({ err }, 'unexpected');
    log.info({ signal }, 'stopping');
    await server.close();
  });
}

async function listen(config: Config, log: Logger): Promise<RunningServer> {
  const server = await startServer(config, log);
  log.info({ url: server.url, docs: `${server.url}/docs` }, 'listening');
  return server;
}

/** One sentence for what whoever starts us can mend. */
function startFailure(
  error: NodeJS.ErrnoException & { port?: number; address?: string },
): string | undefined {
  if (error instanceof ConfigError) return error.message;
  const where = `${error.address ?? ''}:${error.port ?? ''}`;
  const known: Readonly<Record<string, string>> = {
    EADDRINUSE: `Another process is listening on ${where}: choose another port with LATHE_PORT.`,
    EACCES: `This user may not use ${error.path ?? where}: ${error.message}.`,
    EADDRNOTAVAIL: `This machine has no address ${where}: set LATHE_HOST.`,
    ENOTFOUND: `LATHE_HOST cannot be resolved: ${error.message}.`,
    ENOSPC: `The disk is full: ${error.message}.`,
  };
  return known[error.code ?? ''];
}

if (import.meta.main) await runServer();
