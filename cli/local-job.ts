/** @file The child of `lathe run`: reads one line of JSON on stdin, runs the job, tells its events on descriptor 3. */

import { createInterface } from 'node:readline';

import type { JobSpec } from '../src/contract/job.ts';
import { EVENTS_FD } from '../workers/jobs/job-file.ts';
import { teller } from '../workers/jobs/tell.ts';
import { runJob } from '../workers/run-job.ts';
import { chooseProvider } from '../workers/runtime/providers.ts';
import type { LocalProcessInput } from './local-process.ts';

const stop = new AbortController();
process.on('SIGTERM', () => stop.abort(new Error('stopped')));

const lines = createInterface({ input: process.stdin });
// The parent is gone: nobody waits for the result.
lines.on('close', () => stop.abort(new Error('stopped')));
const input = await new Promise<LocalProcessInput>((resolve) => {
  lines.once('line', (line) => resolve(JSON.parse(line) as LocalProcessInput));
});

const tell = teller(EVENTS_FD, () => process.exit(1));

try {
  await runJob({
    folder: input.folder,
    spec: input.spec as JobSpec,
    model: input.model,
    models: input.models,
    dataset: input.dataset ?? undefined,
    name: input.name,
    command: input.command,
    threads: input.threads,
    provider: await chooseProvider(process.env['LATHE_PROVIDER'] ?? 'auto'),
    onEvent: tell,
    signal: stop.signal,
  });
  process.exit(0);
} catch {
  process.exit(1); // runJob has told why
}
