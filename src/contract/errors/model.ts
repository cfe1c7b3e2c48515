/** @file Failures that a model file causes: reading, checking, rewriting, running. */

import type { ErrorEntry } from './entry.ts';

export const MODEL_ERRORS = {
  MODEL_UNREADABLE: {
    status: 422,
    retry: false,
    message: (p: { why: string }) => `The file is not a readable ONNX model: ${p.why}.`,
  },
  MODEL_INVALID: {
    status: 422,
    retry: false,
    message: (p: { where: string; why: string }) =>
      `The ONNX graph is invalid at ${p.where}: ${p.why}.`,
  },
} as const satisfies Record<string, ErrorEntry>;
