/** @file Failures of a job and its stages. */

import type { ErrorEntry } from './entry.ts';

interface MayPoint {
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

export const JOB_ERRORS = {
  SPEC_INVALID: {
    status: 422,
    retry: false,
    message: (p: { errors: readonly { pointer: string; detail: string }[] }) =>
      `The job spec is invalid: ${p.errors.map((e) => `${e.pointer || '/'} ${e.detail}`).join('; ')}.`,
  },
  PATTERN_MATCHES_NOTHING: {
    status: 422,
    retry: false,
    message: (p: { option: string; pattern: string }) =>
      `Option '${p.option}': '${p.pattern}' names no node, tensor or op type of the model.`,
  },
  DATASET_REQUIRED: {
    status: 422,
    retry: false,
    message: (p: { what: string; why: string } & MayPoint) =>
      `${p.what} needs a data set: ${p.why}. Name one in 'dataset'.`,
  },
  OPTIONS_CONFLICT: {
    status: 422,
    retry: false,
    message: (p: { options: readonly string[]; why: string }) =>
      `The options ${p.options.map((o) => `'${o}'`).join(' and ')} cannot stand together: ${p.why}. Keep one.`,
  },
  PROVIDER_UNKNOWN: {
    status: 422,
    retry: false,
    message: (p: { asked: string; valid: string }) =>
      `There is no execution provider '${p.asked}': LATHE_PROVIDER is one of ${p.valid}.`,
  },
  PROVIDER_UNAVAILABLE: {
    status: 503,
    retry: false,
    message: (p: { provider: string; why: string }) =>
      `The execution provider '${p.provider}' does not run on this machine: ${p.why}.`,
  },
  PROVIDER_WRONG: {
    status: 503,
    retry: false,
    message: (p: { provider: string; why: string }) =>
      `The execution provider '${p.provider}' computes something else than the CPU and is not used: ${p.why}.`,
  },
  INTERNAL: {
    status: 500,
    retry: true,
    message: (p: { what: string }) => `internal: ${p.what}.`,
  },
} as const satisfies Record<string, ErrorEntry>;
