/** @file The command line of `lathe`: every command with its options, and how each ends. */

import { Command } from 'commander';

import { LATHE } from '../workers/jobs/versions.ts';
import type { CliCommand } from './command.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { Io } from './io.ts';
import { COMMANDS } from './registry.ts';

/** @param argv without `node` and the script */
export async function runProgram(argv: readonly string[]): Promise<ExitCode> {
  const program = new Command('lathe')
    .description(
      'Make trained vision models small and fast for edge devices, on the ONNX graph itself.',
    )
    .version(LATHE)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  let exit: ExitCode = EXIT.done;
  for (const [name, load] of needed(argv)) {
    add(program, name, await load(), (code) => {
      exit = code;
    });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    return tell(failureOf(error), argv.includes('--json'));
  }
}

type Loader = (typeof COMMANDS)[keyof typeof COMMANDS];

/** The command that is called; all of them for help, and to suggest one to whoever misspelt it. */
function needed([first = '']: readonly string[]): [string, Loader][] {
  const all = Object.entries(COMMANDS);
  return Object.hasOwn(COMMANDS, first) ? all.filter(([name]) => name === first) : all;
}

function add(
  program: Command,
  name: string,
  command: CliCommand,
  done: (code: ExitCode) => void,
): void {
  const sub = program
    .command(`${name} ${command.arguments ?? ''}`.trim())
    .description(command.summary)
    .option('--json', 'one JSON document on stdout; words for people go to stderr')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  command.options?.(sub);
  sub.action(async () => {
    const io = new Io(sub.opts()['json'] === true);
    const interrupted = () => {
      io.close();
      process.exit(EXIT.interrupted);
    };
    if (!command.handlesSignals) process.once('SIGINT', interrupted);
    try {
      done(
        await command.run(
          sub.processedArgs.flat().filter((a) => a !== undefined),
          sub.opts(),
          io,
        ),
      );
    } finally {
      io.close();
    }
  });
}

function tell({ exit, code, detail }: ReturnType<typeof failureOf>, json: boolean): ExitCode {
  if (detail === '') return exit; // help was asked for, or was the answer
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, detail } }, null, 2)}\n`);
  process.stderr.write(`lathe: ${detail}\n`);
  return exit;
}
