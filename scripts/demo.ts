/**
 * @file The main job end to end, as a pipeline would run it: Redis, API and worker on free ports, a model and a data set
 * POSTed, the job followed, its artifacts downloaded. Exits with 0 only if the result is accepted.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileBlob, follow } from '../cli/client.ts';
import { download } from '../cli/download.ts';
import { Io } from '../cli/io.ts';
import { packFolder } from '../cli/pack.ts';
import { reportText } from '../cli/report-text.ts';
import { LatheClient } from '../sdk/client.ts';
import type { Report } from '../src/contract/report.ts';
import { startRedis } from './redis.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const MODEL = join(ROOT, 'examples/bccd_yolov8n_320.onnx');
const DATA = join(ROOT, 'examples/bccd');
const SPEC = join(ROOT, 'examples/quantize-int8.json');
const OUT = join(ROOT, 'out/demo');
const STARTS_WITHIN_MS = 30_000;
const TAKEN_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 600_000;
const STOPS_WITHIN_MS = 10_000;

const cleanups: (() => Promise<void>)[] = [];
const say = (line: string) => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'lathe-demo-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  say('Starting a private Redis, the API and a worker …');
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const port = await freePort();
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    REDIS_URL: redis.url,
    LATHE_PORT: String(port),
    LATHE_DATA_DIR: join(folder, 'data'),
    LATHE_WORK_DIR: join(folder, 'work'),
    LATHE_LOG_LEVEL: 'warn',
  };
  start('serve', env);
  start('worker', env);
  const url = `http://127.0.0.1:${port}`;
  await ready(url);
  const api = new LatheClient({ url });

  say(`POST ${url}/v1/jobs with ${relative(ROOT, MODEL)} and ${relative(ROOT, DATA)}/ …`);
  const spec: unknown = JSON.parse(await readFile(SPEC, 'utf8'));
  const job = await api.submit(spec, {
    model: await fileBlob(MODEL),
    dataset: await packFolder(DATA),
  });
  say(`Job ${job.id} is ${job.status}.`);
  watchOver(api, job.id);
  const io = new Io(false);
  cleanups.push(async () => io.close());
  const end = await follow(api, job.id, io);
  io.close();
  if (end.status !== 'succeeded') {
    say(`The job ${end.status}: ${end.error?.code ?? ''} ${end.error?.detail ?? ''}`);
    return 1;
  }
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  await download(api, job.id, OUT);
  const report = JSON.parse(await readFile(join(OUT, 'report.json'), 'utf8')) as Report;
  say(`\n${reportText(report, relative(process.cwd(), OUT) || OUT)}`);
  say(`Model:  ${relative(process.cwd(), join(OUT, 'model.onnx'))}`);
  say(`Done in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
  return end.outcome === 'pass' ? 0 : 1;
}

/** A process of Lathe; its own words come through. */
function start(command: 'serve' | 'worker', env: NodeJS.ProcessEnv): void {
  // A group of its own, so that Ctrl-C reaches us alone; the channel ends it if we are killed.
  const args = ['--import', join(ROOT, 'scripts/end-with-parent.mjs'), join(ROOT, 'cli/main.ts')];
  const child = spawn(process.execPath, [...args, command], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true,
  });
  cleanups.push(() => stop(child));
  child.on('exit', (code) => {
    if (!stopping && code !== 0) void finish(1, `lathe ${command} ended with status ${code}.`);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((done) => void child.once('exit', () => done()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
  await ended;
  clearTimeout(timer);
}

/** A demo that hangs helps nobody: say what it hangs on. */
function watchOver(api: LatheClient, id: string): void {
  const queued = async () => {
    const { status } = await api.job(id);
    if (status === 'queued') await finish(1, 'no worker has taken the job.');
  };
  setTimeout(() => void queued().catch(() => {}), TAKEN_WITHIN_MS).unref();
  const late = `the job has not ended within ${ENDS_WITHIN_MS / 60_000} minutes.`;
  setTimeout(() => void finish(1, late), ENDS_WITHIN_MS).unref();
}

async function ready(url: string): Promise<void> {
  const until = performance.now() + STARTS_WITHIN_MS;
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    if (performance.now() > until)
      throw new Error(
        `The API is not ready after ${STARTS_WITHIN_MS / 1000} s: ${answer ? await answer.text() : 'no answer'}`,
      );
    await new Promise((done) => setTimeout(done, 100));
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

let stopping = false;

/** Stop everything, last started first, then leave. */
async function finish(code: number, why?: string): Promise<never> {
  if (stopping) return new Promise(() => {});
  stopping = true;
  if (why) process.stderr.write(`demo: ${why}\n`);
  for (const cleanup of cleanups.reverse()) await cleanup().catch(() => {});
  process.exit(code);
}

process.on('SIGINT', () => void finish(130, 'interrupted'));
process.on('SIGTERM', () => void finish(143, 'terminated'));
await main().then(
  (code) => finish(code),
  (error: Error) => finish(1, error.message),
);
