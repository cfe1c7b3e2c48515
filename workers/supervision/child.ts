/** @file The child process of one attempt: started, listened to, held to its limits, ended. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import { ServiceError } from '../../src/contract/errors.ts';
import type { JobEvent } from '../../src/contract/events.ts';
import { type Failure, failureOf } from '../jobs/failure.ts';
import type { WorkerConfig } from '../worker-config.ts';
import { compileCache } from './compile-cache.ts';
import { allowedEnvironment, type Confinement, confined } from './confinement.ts';
import { HUGE_PAGES } from './huge-pages.ts';
import { Limits } from './limits.ts';
import { stepBack } from './priority.ts';

const PROGRAM = join(import.meta.dirname, `../job-process${import.meta.filename.slice(-3)}`);
const STDERR_KEPT = 8192;

export type ChildEnd =
  | { readonly how: 'done'; readonly outcome: 'pass' | 'rejected' }
  | { readonly how: 'failed'; readonly failure: Failure }
  /** Native code took the process down. */
  | { readonly how: 'crashed'; readonly signal: NodeJS.Signals }
  /** As `stop` asked. */
  | { readonly how: 'stopped' };

export interface ChildOptions {
  readonly folder: string;
  readonly config: WorkerConfig;
  readonly confinement: Confinement;
  onEvent(event: JobEvent): void;
  /** Aborted: the child has `graceSeconds` to end, then its group is killed. */
  readonly stop: AbortSignal;
}

/** Run the job's process to its end, whatever end that is. */
export async function runChild(options: ChildOptions): Promise<ChildEnd> {
  const { stop } = options;
  if (stop.aborted) return { how: 'stopped' };
  const child = start(options);
  const heard = new Heard(options.onEvent);
  const limits = new Limits(child.pid ?? 0, options.config);
  const lines = createInterface({ input: child.stdio[3] as Readable });
  lines.on('line', (line) => heard.line(line, limits));
  const stderr = tailOf(child.stderr);
  const kill = killer(child, options.config.graceSeconds);
  stop.addEventListener('abort', kill.gently, { once: true });
  limits.onExceeded = kill.atOnce;
  try {
    const [{ code, signal }] = await Promise.all([ended(child), closed(lines)]);
    if (limits.exceeded) return { how: 'failed', failure: failureOf(limits.exceeded, heard.stage) };
    if (heard.end) return heard.end;
    if (stop.aborted) return { how: 'stopped' };
    return died(code, signal, heard.stage, stderr(), options.config);
  } finally {
    stop.removeEventListener('abort', kill.gently);
    limits.close();
    kill.atOnce(); // whatever of its group is left
  }
}

function start({ folder, config, confinement }: ChildOptions): ChildProcess {
  const node = [process.execPath, ...process.execArgv, PROGRAM];
  const [command, ...args] = confined(node, confinement, {
    fileBytes: config.jobFileBytes,
    cpuSeconds: config.jobSeconds * config.threads + 60,
  });
  const compiled = compileCache(config.workDir);
  const child = spawn(command!, args, {
    cwd: folder,
    env: {
      ...HUGE_PAGES,
      ...allowedEnvironment(process.env, folder),
      ...(compiled !== undefined && { NODE_COMPILE_CACHE: compiled }),
    },
    detached: true, // its own process group
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
  });
  stepBack(child.pid, 'job'); // from its first moment on: loading its code is work too
  return child;
}

/** What the child has said so far. */
class Heard {
  end: ChildEnd | undefined;
  /** The stage at work. */
  stage: string | null = null;
  readonly #tell: (event: JobEvent) => void;

  constructor(tell: (event: JobEvent) => void) {
    this.#tell = tell;
  }

  line(line: string, limits: Limits): void {
    let event: JobEvent;
    try {
      event = JSON.parse(line) as JobEvent;
    } catch {
      return; // the half line of a process that was killed
    }
    limits.heard(event.type === 'progress' ? event.doing : undefined);
    if (event.type === 'stage') this.stage = event.status === 'running' ? event.stage : null;
    if (event.type === 'done') this.end = { how: 'done', outcome: event.outcome };
    if (event.type === 'failed') this.end = { how: 'failed', failure: event };
    this.#tell(event);
  }
}

function killer(child: ChildProcess, graceSeconds: number) {
  const group = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // it is gone
    }
  };
  const atOnce = () => group('SIGKILL');
  const gently = () => {
    group('SIGTERM');
    setTimeout(atOnce, graceSeconds * 1000).unref();
  };
  return { atOnce, gently };
}

function ended(
  child: ChildProcess,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  child.stdin?.on('error', () => {}); // it went before we did
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

const closed = (lines: NodeJS.EventEmitter) =>
  new Promise<void>((resolve) => lines.once('close', () => resolve()));

function tailOf(stream: Readable | null): () => string {
  let tail = '';
  stream?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-STDERR_KEPT);
  });
  return () => tail;
}

const NATIVE: ReadonlySet<string> = new Set([
  'SIGSEGV',
  'SIGABRT',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGSYS',
  'SIGTRAP',
]);

/** An end that nobody announced. */
function died(
  code: number | null,
  signal: NodeJS.Signals | null,
  stage: string | null,
  stderr: string,
  { jobSeconds, jobMemory }: WorkerConfig,
): ChildEnd {
  const failed = (error: ServiceError): ChildEnd => ({
    how: 'failed',
    failure: failureOf(error, stage),
  });
  if (/heap out of memory|Cannot allocate memory|std::bad_alloc/.test(stderr))
    return failed(new ServiceError('JOB_OUT_OF_MEMORY', { bytes: jobMemory, limit: jobMemory }));
  if (signal !== null && NATIVE.has(signal)) return { how: 'crashed', signal };
  if (signal === 'SIGXCPU') return failed(new ServiceError('JOB_TIMEOUT', { seconds: jobSeconds }));
  const how =
    signal === 'SIGKILL'
      ? 'it was killed from outside, most likely by the system for want of memory'
      : signal !== null
        ? `signal ${signal}`
        : `exit code ${code}${lastWords(stderr)}`;
  return failed(new ServiceError('JOB_PROCESS_DIED', { how }));
}

/** The error that Node has written last, above its stack and its version; else the last line. */
function lastWords(stderr: string): string {
  const lines = stderr.trim().split('\n');
  const line = lines.findLast((text) => /^(\w*Error|\w*Exception)\b/.test(text)) ?? lines.at(-1);
  return line ? `, ${line}` : '';
}
