/** @file A job in a process of its own, so that Ctrl-C and crashes of native code leave this one in charge. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { JobEvent } from '../src/contract/events.ts';

/** What `lathe run` hands to its child on stdin. */
export interface LocalProcessInput {
  readonly folder: string;
  readonly spec: unknown;
  readonly model: string;
  /** Paths of teachers, by what the spec calls them. */
  readonly models: Readonly<Record<string, string>>;
  readonly dataset: string | null;
  readonly name: string;
  readonly command: string;
  readonly threads: number;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly interrupted: boolean;
}

const PATIENCE_MS = 5000;
const own = fileURLToPath(import.meta.url);
const CHILD = own.replace(/local-process\.(ts|js)$/, 'local-job.$1');

/** Run the child, hand on its events, pass Ctrl-C on as SIGTERM, and end it for good if it does not stop in 5 s. */
export async function runLocally(
  input: LocalProcessInput,
  onEvent: (event: JobEvent) => void,
): Promise<ProcessEnd> {
  const child = spawn(process.execPath, [CHILD], {
    stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
    detached: true,
  });
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS).unref();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  child.stdin!.on('error', () => {}); // the child is gone already: its exit says so
  child.stdin!.write(`${JSON.stringify(input)}\n`);
  const lines = createInterface({ input: child.stdio[3] as Readable });
  lines.on('line', (line) => onEvent(JSON.parse(line) as JobEvent));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.on('error', reject);
      child.on('close', (c, s) => resolve([c, s]));
    },
  );
  return { code, signal, interrupted };
}
