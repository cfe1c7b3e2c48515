import type { CliCommand } from './command.ts';

/** Every command, in the order in which help lists them. One line each; loaded when it is needed, for a quick start. */
export const COMMANDS = {
  run: async () => (await import('./commands/run.ts')).run,
  inspect: async () => (await import('./commands/inspect.ts')).inspect,
  evaluate: async () => (await import('./commands/evaluate.ts')).evaluate,
  bench: async () => (await import('./commands/bench.ts')).bench,
  check: async () => (await import('./commands/check.ts')).check,
  serve: async () => (await import('./commands/serve.ts')).serve,
  worker: async () => (await import('./commands/serve.ts')).worker,
  submit: async () => (await import('./commands/submit.ts')).submit,
  jobs: async () => (await import('./commands/jobs.ts')).jobs,
  watch: async () => (await import('./commands/watch.ts')).watch,
  pull: async () => (await import('./commands/pull.ts')).pull,
  cancel: async () => (await import('./commands/cancel.ts')).cancel,
  doctor: async () => (await import('./commands/doctor.ts')).doctor,
} as const satisfies Record<string, () => Promise<CliCommand>>;
