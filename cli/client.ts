/** @file The server that client commands talk to, and files that go there. */

import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { env } from 'node:process';
import { isFinished, LatheClient, type NamedBlob } from '../sdk/client.ts';
import type { JobView } from '../src/contract/job-view.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { UsageError } from './failure.ts';
import type { Io } from './io.ts';
import { checkLine } from './report-text.ts';

const DEFAULT_URL = 'http://127.0.0.1:8080';

/** From LATHE_URL and LATHE_API_KEY. */
export function client(): LatheClient {
  const url = env['LATHE_URL'] ?? DEFAULT_URL;
  if (!/^https?:/.test(URL.parse(url)?.protocol ?? ''))
    throw new UsageError(`LATHE_URL: '${url}' is not an http or https address.`);
  return new LatheClient({ url, apiKey: env['LATHE_API_KEY'] });
}

export const fileBlob = async (path: string): Promise<NamedBlob> => ({
  data: await openAsBlob(path),
  name: basename(path),
});

/** Show a job's events until it ends. */
export async function follow(api: LatheClient, id: string, io: Io): Promise<JobView> {
  for await (const { event, data } of api.events(id)) {
    const body = (typeof data === 'string' ? JSON.parse(data) : data) as Record<string, unknown>;
    if (event === 'progress')
      io.progress(
        Number(body['progress']),
        String(body['doing'] ?? 'working'),
        body['estimatedSecondsLeft'] as number | null,
      );
    if (event === 'log' && body['level'] !== 'info') io.note(`lathe: ${String(body['message'])}`);
  }
  const job = await api.job(id);
  return isFinished(job) ? job : api.wait(id);
}

/** How a finished job ends the command, as `run` would have. */
export function exitOf(job: JobView): ExitCode {
  if (job.status === 'succeeded') return job.outcome === 'rejected' ? EXIT.rejected : EXIT.done;
  return job.status === 'failed' ? EXIT.failed : EXIT.cancelled;
}

export function jobText(job: JobView): string {
  const stages = job.stages.map((s) => `${s.stage} ${s.status}`).join(', ');
  const outcome = job.outcome ? ` (${job.outcome})` : '';
  const checks = (job.checks ?? []).map(checkLine);
  const error = job.error ? [`${job.error.code}: ${job.error.detail}`] : [];
  return [`${job.id}  ${job.status}${outcome}  ${stages}`, ...checks, ...error].join('\n');
}
