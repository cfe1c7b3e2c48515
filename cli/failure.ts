/** @file Whatever goes wrong, as one sentence and an exit code. */

import { CommanderError } from 'commander';

import { ApiError, ServerUnreachable } from '../sdk/client.ts';
import { ERRORS, type ErrorCode, ServiceError } from '../src/contract/errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Failure {
  readonly exit: ExitCode;
  readonly code: string;
  readonly detail: string;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) {
    const shown = error.exitCode === 0 || error.code === 'commander.help';
    return {
      exit: error.exitCode === 0 ? EXIT.done : EXIT.invalid,
      code: 'USAGE',
      detail: shown ? '' : withoutPrefix(error.message),
    };
  }
  if (error instanceof UsageError)
    return { exit: EXIT.invalid, code: 'USAGE', detail: error.message };
  if (error instanceof ServiceError) {
    const invalid = ERRORS[error.code as ErrorCode].status < 500;
    return { exit: invalid ? EXIT.invalid : EXIT.failed, code: error.code, detail: error.message };
  }
  if (error instanceof ServerUnreachable)
    return { exit: EXIT.unreachable, code: 'SERVER_UNREACHABLE', detail: error.message };
  if (error instanceof ApiError)
    return { exit: exitOfStatus(error.status), code: error.problem.code, detail: apiDetail(error) };
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR' || code === 'ENOTDIR')
    return { exit: EXIT.invalid, code, detail: fileDetail(error as NodeJS.ErrnoException) };
  if (code === 'EEXIST')
    return { exit: EXIT.invalid, code, detail: `'${path}' is a file, not a folder.` };
  if (code === 'ENOSPC') return { exit: EXIT.failed, code, detail: 'The disk is full.' };
  return { exit: EXIT.failed, code: 'INTERNAL', detail: message ?? String(error) };
}

function exitOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.unreachable;
  return status < 500 ? EXIT.invalid : EXIT.failed;
}

function apiDetail({ problem }: ApiError): string {
  const fields = (problem.errors ?? []).map((e) => `\n  ${e.pointer || '/'}: ${e.detail}`);
  return `${problem.detail}${fields.join('')}`;
}

const withoutPrefix = (message: string) => message.replace(/^error: /, '');

function fileDetail({ code, path = 'a file' }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `'${path}' does not exist.`;
  if (code === 'EACCES') return `'${path}' may not be read or written by this user.`;
  return `'${path}' is ${code === 'EISDIR' ? 'a folder, not a file' : 'not a folder'}.`;
}
