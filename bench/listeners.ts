/**
 * @file What does a client cost that listens? 2,000 server-sent event streams on one API process.
 *
 *     npm run bench -- listeners [--clients 2000]
 *
 * Each stream gets the first event of its job; then the jobs are cancelled, and each must hear of that and end. Memory is the API's
 * resident memory when all listen, less than before any did, per client. Both ends need a file descriptor per stream
 * (ulimit -n). The last line is JSON; the exit code is 1 where a bound is missed.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Agent, request } from 'undici';

import { Installation, tell } from './service/installation.ts';

const { values } = parseArgs({ options: { clients: { type: 'string', default: '2000' } } });
const clients = Number(values.clients);
/** Clients of one job. */
const PER_JOB = 100;
/** Opened at once. */
const BATCH = 50;
const SETTLE_MS = 5000;

const site = await Installation.open();
const agent = new Agent({ connections: null, headersTimeout: 0, bodyTimeout: 0 });
try {
  const model = await site.tinyModel();
  const jobs = await Promise.all(
    Array.from({ length: Math.ceil(clients / PER_JOB) }, () => submit(model)),
  );
  await warmUp(jobs[0]!);
  const before = site.apiMemory();

  const listening: Promise<string>[] = [];
  for (let i = 0; i < clients; i += BATCH) {
    const some = Array.from({ length: Math.min(BATCH, clients - i) }, (_, k) =>
      listen(jobs[Math.floor((i + k) / PER_JOB)]!),
    );
    listening.push(...(await Promise.all(some)).map(({ rest }) => rest));
  }
  await sleep(SETTLE_MS);
  const after = site.apiMemory();

  const begun = performance.now();
  for (const job of jobs) await fetch(`${site.url}/v1/jobs/${job}/cancel`, { method: 'POST' });
  const heard = (await Promise.all(listening)).filter((text) => text.includes('cancelled')).length;
  const seconds = (performance.now() - begun) / 1000;
  const perClient = ((after - before) * 1024) / clients;
  tell(
    [
      { what: 'clients that did not hear the end', measured: clients - heard, most: 0, unit: '' },
      { what: 'memory of the API per client', measured: perClient, most: 50, unit: 'kB' },
    ],
    { clients, beforeMiB: before, afterMiB: after, secondsUntilAllHeard: seconds },
  );
} finally {
  await agent.destroy();
  await site.close();
}

async function submit(model: string): Promise<string> {
  const answer = await fetch(`${site.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stages: [{ stage: 'simplify' }], cache: false }),
  });
  return ((await answer.json()) as { id: string }).id;
}

/** Code is compiled once, by clients that come and go: not by those that are counted. */
async function warmUp(job: string): Promise<void> {
  for (let round = 0; round < 8; round++) {
    const passing = new Agent({ connections: null });
    const { url } = site;
    const some = Array.from({ length: BATCH }, () =>
      request(`${url}/v1/jobs/${job}/events`, { dispatcher: passing }),
    );
    for (const { body } of await Promise.all(some)) body.on('error', () => {}).resume();
    await passing.destroy();
  }
  await sleep(SETTLE_MS);
}

/** @returns once the first event is there; `rest` is all that comes after */
async function listen(job: string): Promise<{ readonly rest: Promise<string> }> {
  const { body } = await request(`${site.url}/v1/jobs/${job}/events`, { dispatcher: agent });
  const chunks = body[Symbol.asyncIterator]();
  await chunks.next();
  return { rest: textOf(chunks) };
}

async function textOf(chunks: AsyncIterator<Buffer>): Promise<string> {
  let text = '';
  for (;;) {
    const { done, value } = await chunks.next();
    if (done) return text;
    text += value.toString();
  }
}
