/** @file The process of one job: reads job.json in its folder, runs the job, says what happens on descriptor 3. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { extractArchive } from './data/archive.ts';
import { failureOf } from './jobs/failure.ts';
import { EVENTS_FD, JOB_FILE, type JobFile } from './jobs/job-file.ts';
import { teller } from './jobs/tell.ts';
import { runJob } from './run-job.ts';

/** Exit codes: the events say what happened, these only whether it was the job's own end. */
const EXIT = { done: 0, failed: 1, stopped: 143 } as const;

const folder = process.cwd();
const stop = new AbortController();

const tell = teller(EVENTS_FD, () => process.exit(EXIT.stopped));

/** The first to go when memory runs out. */
function yieldMemory(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // not everywhere permitted
  }
}

function stopWhenTold(): void {
  process.on('SIGTERM', () => stop.abort(new Error('stopped')));
  process.stdin.on('error', () => process.exit(EXIT.stopped));
  process.stdin.on('close', () => process.exit(EXIT.stopped)).resume(); // the supervisor is gone
}

async function main(): Promise<number> {
  const job = JSON.parse(readFileSync(join(folder, JOB_FILE), 'utf8')) as JobFile;
  try {
    await runJob({
      folder,
      spec: job.spec,
      model: join(folder, job.model),
      models: Object.fromEntries(
        Object.entries(job.models).map(([id, file]) => [id, join(folder, file)]),
      ),
      dataset: await unpacked(job),
      datasetId: job.datasetId ?? undefined,
      confined: true,
      name: job.name ?? undefined,
      jobId: job.jobId,
      threads: job.threads,
      provider: job.provider === 'auto' ? 'cpu' : job.provider,
      onEvent: tell,
      signal: stop.signal,
    });
    return EXIT.done;
  } catch {
    return stop.signal.aborted ? EXIT.stopped : EXIT.failed; // runJob has told why
  }
}

async function unpacked({ archive }: JobFile): Promise<string | undefined> {
  if (archive === null) return undefined;
  const target = join(folder, 'dataset');
  try {
    mkdirSync(target);
    await extractArchive(join(folder, archive), target);
    return target;
  } catch (error) {
    tell(failureOf(error, null));
    throw error;
  }
}

yieldMemory();
stopWhenTold();
process.exit(await main());
