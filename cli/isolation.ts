/** @file Commands that run a model in native code have a child do it: a crash becomes a sentence, and Ctrl-C always works. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { ERRORS } from '../src/contract/errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** `run` has its own child; the others never load a model. */
const APART: ReadonlySet<string> = new Set(['inspect', 'evaluate', 'bench', 'check']);

const own = fileURLToPath(import.meta.url);
const CHILD = own.replace(/isolation\.(ts|js)$/, 'program-process.$1');
/** A child in the middle of an inference hears no signal but SIGKILL. */
const PATIENCE_MS = 1000;
const SHOW_CURSOR = '\u001B[?25h';

export const mayCrash = ([command = '']: readonly string[]): boolean => APART.has(command);

/** Run the command line in a child that shares our terminal, and end as it ends. */
export async function runApart(argv: readonly string[]): Promise<ExitCode> {
  const child = spawn(process.execPath, [CHILD, ...argv], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  let interrupted = false;
  const stop = (signal: NodeJS.Signals) => {
    interrupted = true;
    child.kill(signal);
    setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS).unref();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done, fail) => {
    child.on('error', fail);
    child.on('exit', (c, s) => done([c, s]));
  });
  if (interrupted) {
    if (process.stderr.isTTY) process.stderr.write(SHOW_CURSOR);
    return EXIT.interrupted;
  }
  return signal === null ? ((code ?? EXIT.failed) as ExitCode) : crashed(signal, argv);
}

function crashed(signal: NodeJS.Signals, argv: readonly string[]): ExitCode {
  const code = 'MODEL_CRASHES_RUNTIME';
  const detail = ERRORS[code].message({ signal, times: 1 });
  if (argv.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { code, detail } }, null, 2)}\n`);
  process.stderr.write(`lathe: ${detail}\n`);
  return EXIT.failed;
}
