/** @file The `lathe` command as a person runs it: a process of its own. */

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param env added to an environment without any setting of Lathe's */
export function lathe(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const plain = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(LATHE_|REDIS_)/.test(name)),
  );
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...plain, ...env } });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) =>
      done({
        code,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}
