/** @file What a command of `lathe` is. */

import type { Command } from 'commander';

import type { ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

export interface CliCommand {
  readonly summary: string;
  /** As commander writes them: `<spec>`, `[models...]`. */
  readonly arguments?: string;
  /** It ends by itself on SIGINT and SIGTERM, in its own time. */
  readonly handlesSignals?: true;
  /** Options beside --json, which every command has. */
  options?(command: Command): void;
  run(
    args: readonly string[],
    options: Readonly<Record<string, unknown>>,
    io: Io,
  ): Promise<ExitCode>;
}
