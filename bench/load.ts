/**
 * @file Does the service keep up? 1,000 jobs queued by 50 clients, 4 workers, tiny models: none lost, none run twice, answers quick.
 *
 *     npm run bench -- load [--jobs 1000] [--clients 50] [--workers 4] [--reads 30]
 *
 * autocannon queues the jobs, then reads jobs and lists (--reads seconds) while the workers are at work. A run that is doubled is
 * one whose child, or a stage of it, was started twice for the same job and attempt: the children say so themselves
 * (bench/service/count-starts.mjs). The last line is JSON; the exit code is 1 where a bound is missed.
 */

import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import autocannon from 'autocannon';

import { Installation, tell } from './service/installation.ts';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '1000' },
    clients: { type: 'string', default: '50' },
    workers: { type: 'string', default: '4' },
    reads: { type: 'string', default: '30' },
    minutes: { type: 'string', default: '60' },
  },
});
const jobs = Number(values.jobs);

const site = await Installation.open();
try {
  const starts = join(site.folder, 'starts');
  writeFileSync(starts, '');
  const counter = pathToFileURL(join(import.meta.dirname, 'service/count-starts.mjs'));
  counter.searchParams.set('log', starts);
  const model = await site.tinyModel();
  await site.startWorkers(Number(values.workers), ['--import', counter.href]);

  const begun = performance.now();
  const { accepted, submissions } = await submitAll(model);
  const reads = await readMeanwhile(accepted);
  const [submitted, read] = [submissions.latency.p99, reads.latency.p99];
  process.stderr.write(`p99 of submissions ${submitted} ms, of reads ${read} ms\n`);
  const statuses = await settled(accepted.length);
  const seconds = (performance.now() - begun) / 1000;
  const { doubled, children, stages } = startsIn(readFileSync(starts, 'utf8'));
  tell(
    [
      { what: 'jobs not accepted', measured: jobs - accepted.length, most: 0, unit: '' },
      {
        what: 'jobs lost',
        measured: accepted.length - (statuses['succeeded'] ?? 0),
        most: 0,
        unit: '',
      },
      { what: 'children or stages started twice', measured: doubled, most: 0, unit: '' },
      { what: 'submission, p99', measured: submissions.latency.p99, most: 250, unit: 'ms' },
      { what: 'reading, p99', measured: reads.latency.p99, most: 100, unit: 'ms' },
    ],
    { jobs, seconds, children, stages, statuses, readsPerSecond: reads.requests.average },
  );
} finally {
  await site.close();
}

/** Each request with a key of its own, so that an answer that got lost can be asked for again. */
async function submitAll(model: string) {
  const ids = new Set<string>();
  const body = JSON.stringify({ model, stages: [{ stage: 'simplify' }], cache: false });
  const submissions = await autocannon({
    url: site.url,
    connections: Number(values.clients),
    amount: jobs,
    requests: [
      {
        method: 'POST',
        path: '/v1/jobs',
        headers: { 'content-type': 'application/json' },
        body,
        setupRequest: (request) => ({
          ...request,
          headers: { ...request.headers, 'idempotency-key': randomUUID() },
        }),
        onResponse: (status, text) => {
          if (status === 202) ids.add((JSON.parse(text) as { id: string }).id);
        },
      },
    ],
  });
  return { accepted: [...ids], submissions };
}

/** Pages of the list and single jobs, fifty requests a second. */
function readMeanwhile(ids: readonly string[]) {
  const some = ids.filter((_, i) => i % 50 === 0).map((id) => ({ path: `/v1/jobs/${id}` }));
  return autocannon({
    url: site.url,
    connections: 10,
    overallRate: 50,
    duration: Number(values.reads),
    requests: [{ path: '/v1/jobs?limit=20' }, ...some, { path: '/v1/models' }],
  });
}

/** How all jobs ended, once they have. */
async function settled(count: number): Promise<Record<string, number>> {
  const end = Date.now() + 60_000 * Number(values.minutes);
  for (;;) {
    const statuses = await statusesNow();
    const open = (statuses['queued'] ?? 0) + (statuses['running'] ?? 0);
    process.stderr.write(`\r${count - open} of ${count} jobs have ended `);
    if (open === 0 || Date.now() > end) return statuses;
    await sleep(5000);
  }
}

async function statusesNow(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (let cursor: string | null = ''; cursor !== null; ) {
    const answer = await fetch(`${site.url}/v1/jobs?limit=200${cursor && `&cursor=${cursor}`}`);
    const page = (await answer.json()) as {
      items: { status: string }[];
      nextCursor: string | null;
    };
    for (const { status } of page.items) found[status] = (found[status] ?? 0) + 1;
    cursor = page.nextCursor;
  }
  return found;
}

/** Lines are `<job>-<attempt> start` and `<job>-<attempt> stage <index>`: each may be there once. */
function startsIn(text: string) {
  const lines = text.split('\n').filter((line) => line !== '');
  const children = lines.filter((line) => line.endsWith(' start')).length;
  return {
    doubled: lines.length - new Set(lines).size,
    children,
    stages: lines.length - children,
  };
}
