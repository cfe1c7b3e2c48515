/** @file One inspection: a process of its own, in its own group, without our secrets, held to limits. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { residentBytes, SAMPLE_MS } from './resident.ts';

/** Stands beside us in source and in the built package: `.ts` there, `.js` here. */
const PROGRAM = join(
  import.meta.dirname,
  `../../workers/inspect-process${import.meta.filename.slice(-3)}`,
);

/** Longest answer, in characters: a model with a million op types does not fill our memory. */
const LONGEST = 16 * 2 ** 20;
const STDERR_KEPT = 4096;

export interface ChildLimits {
  readonly seconds: number;
  /** Over all threads: ends the child even when we are gone. */
  readonly cpuSeconds: number;
  readonly memory: number;
}

export type ChildEnd =
  | { readonly how: 'told'; readonly document: unknown }
  | { readonly how: 'slow'; readonly limit: number }
  | { readonly how: 'large'; readonly limit: number }
  | { readonly how: 'crashed'; readonly signal: NodeJS.Signals }
  | { readonly how: 'failed'; readonly why: string };

/** @throws the signal's reason where it is aborted */
export async function runChild(
  args: readonly string[],
  limits: ChildLimits,
  signal: AbortSignal,
): Promise<ChildEnd> {
  signal.throwIfAborted();
  const child = start(args, limits);
  let over: ChildEnd | undefined;
  const kill = () => killGroup(child);
  const end = (why: ChildEnd) => {
    over ??= why;
    kill();
  };
  const clock = setTimeout(
    () => end({ how: 'slow', limit: limits.seconds }),
    limits.seconds * 1000,
  );
  const sampler = setInterval(() => {
    if (residentBytes(child.pid ?? 0) > limits.memory) end({ how: 'large', limit: limits.memory });
  }, SAMPLE_MS);
  signal.addEventListener('abort', kill, { once: true });
  try {
    const said = await ending(child);
    signal.throwIfAborted();
    return over ?? judged(said);
  } finally {
    clearTimeout(clock);
    clearInterval(sampler);
    signal.removeEventListener('abort', kill);
    kill(); // whatever of its group is left
  }
}

/** What programs need to run, and nothing that opens a door. */
const ALLOWED = /^(PATH|HOME|TMPDIR|LANG|LC_.*|TZ|LD_LIBRARY_PATH)$/;

function start(args: readonly string[], { cpuSeconds }: ChildLimits): ChildProcess {
  const limited = `ulimit -t ${cpuSeconds}; ulimit -c 0; exec "$0" "$@"`;
  return spawn('/bin/sh', ['-c', limited, process.execPath, PROGRAM, ...args], {
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => ALLOWED.test(name))),
    detached: true, // its own process group
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it is gone
  }
}

interface Said {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ending(child: ChildProcess): Promise<Said> {
  const stdout = textOf(child.stdout!, (text) => text.length <= LONGEST || killGroup(child));
  const stderr = textOf(child.stderr!);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...how) => resolve(how));
    },
  );
  return { code, signal, stdout: stdout(), stderr: stderr().slice(-STDERR_KEPT) };
}

function textOf(stream: Readable, grown: (text: string) => unknown = () => {}): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    grown(text);
  });
  return () => text;
}

const NATIVE: ReadonlySet<string> = new Set([
  ...['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS'],
]);

function judged({ code, signal, stdout, stderr }: Said): ChildEnd {
  if (code === 0) {
    try {
      return { how: 'told', document: JSON.parse(stdout) };
    } catch {
      return { how: 'failed', why: 'an answer that is not JSON' };
    }
  }
  if (signal !== null && NATIVE.has(signal)) return { how: 'crashed', signal };
  if (signal !== null) return { how: 'failed', why: `the signal ${signal}` };
  return { how: 'failed', why: `exit code ${code} (${stderr.trim().split('\n').at(-1)})` };
}
