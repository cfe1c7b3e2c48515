import type { CliCommand } from './command.ts';
import { bench } from './commands/bench.ts';
import { cancel } from './commands/cancel.ts';
import { check } from './commands/check.ts';
import { doctor } from './commands/doctor.ts';
import { evaluate } from './commands/evaluate.ts';
import { inspect } from './commands/inspect.ts';
import { jobs } from './commands/jobs.ts';
import { pull } from './commands/pull.ts';
import { run } from './commands/run.ts';
import { serve, worker } from './commands/serve.ts';
import { submit } from './commands/submit.ts';
import { watch } from './commands/watch.ts';

/** Every command, in the order in which help lists them. One line each. */
export const COMMANDS = {
  run,
  inspect,
  evaluate,
  bench,
  check,
  serve,
  worker,
  submit,
  jobs,
  watch,
  pull,
  cancel,
  doctor,
} as const satisfies Record<string, CliCommand>;
