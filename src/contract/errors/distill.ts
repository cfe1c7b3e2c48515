/** @file Failures of distillation: a teacher that cannot teach, a signal that finds no place. */

import type { ErrorEntry } from './entry.ts';

export const DISTILL_ERRORS = {
  TEACHER_DOES_NOT_FIT: {
    status: 422,
    retry: false,
    message: (p: { teacher: string; why: string }) =>
      `The teacher '${p.teacher}' cannot teach this model: ${p.why}.`,
  },
  TEACHER_MISSING: {
    status: 422,
    retry: false,
    message: (p: { teacher: string; why: string }) =>
      `The teacher '${p.teacher}' cannot be read: ${p.why}. A teacher is "input", the index of an earlier stage, or a model that is there until the job ends.`,
  },
  SIGNAL_DOES_NOT_FIT: {
    status: 422,
    retry: false,
    message: (p: { signal: string; why: string }) =>
      `The signal '${p.signal}' cannot be had of these two models: ${p.why}.`,
  },
} as const satisfies Record<string, ErrorEntry>;
