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
  MODEL_TOO_COMPLEX: {
    status: 422,
    retry: false,
    message: (p: { what: string; limit: number }) =>
      `The model has too many ${p.what}: the limit is ${p.limit}.`,
  },
  OPSET_UNSUPPORTED: {
    status: 422,
    retry: false,
    message: (p: { found: number; oldest: number; newest: number }) =>
      `The model is written for opset ${p.found}; opsets ${p.oldest} to ${p.newest} are supported.`,
  },
  MODEL_CANNOT_RUN: {
    status: 422,
    retry: false,
    message: (p: { why: string }) => `onnxruntime cannot run the model: ${p.why}.`,
  },
  SHAPE_UNKNOWN: {
    status: 422,
    retry: false,
    message: (p: { value: string; shape: string }) =>
      `The shape of '${p.value}' is not known (${p.shape}): fix the input shape with simplify's option inputShape.`,
  },
} as const satisfies Record<string, ErrorEntry>;
