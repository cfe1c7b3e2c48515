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
  WEIGHT_NOT_FINITE: {
    status: 422,
    retry: false,
    message: (p: { tensor: string; node: string }) =>
      `The weight '${p.tensor}' of node '${p.node}' holds NaN or infinity.`,
  },
  ACTIVATION_NOT_FINITE: {
    status: 422,
    retry: false,
    message: (p: { tensor: string }) =>
      `The tensor '${p.tensor}' became NaN or infinite on a calibration image.`,
  },
  MODEL_ALREADY_QUANTIZED: {
    status: 422,
    retry: false,
    message: (p: { form: string }) =>
      `The model is quantized already (${p.form}). It can be evaluated, benchmarked and simplified; this stage needs the float32 model it was made from, or a stage 'simplify' with 'dequantize' before it.`,
  },
  PRECISION_CANNOT_RUN: {
    status: 422,
    retry: false,
    message: (p: { precision: string; provider: string; why: string }) =>
      `The runtime on this worker (provider '${p.provider}') cannot run the model in precision '${p.precision}': ${p.why} Precisions 'int8', 'int16' and 'fp16' run everywhere.`,
  },
  NOTHING_TO_QUANTIZE: {
    status: 422,
    retry: false,
    message: (p: { precision: string; why: string }) =>
      `Precision '${p.precision}' finds nothing to quantize: ${p.why}.`,
  },
  MODEL_NOT_DEQUANTIZABLE: {
    status: 422,
    retry: false,
    message: (p: { node: string; why: string }) =>
      `The quantized model cannot become float again: node '${p.node}': ${p.why}.`,
  },
  MODEL_NOT_FLOAT32: {
    status: 422,
    retry: false,
    message: (p: { tensor: string; dtype: string }) =>
      `The weight '${p.tensor}' is ${p.dtype}: this stage works on float32 models. Export the model in float32.`,
  },
  TASK_DOES_NOT_FIT: {
    status: 422,
    retry: false,
    message: (p: { task: string; why: string }) =>
      `The model does not fit the task '${p.task}': ${p.why}.`,
  },
  PRUNING_IMPOSSIBLE: {
    status: 422,
    retry: false,
    message: (p: { resource: string; wanted: number; least: number }) =>
      `The target ${p.resource} ${Number(p.wanted.toFixed(3))} cannot be reached: with what may go, ${Number(p.least.toFixed(3))} is the nearest. Ask for less, or protect less.`,
  },
  MODEL_NOT_TRAINABLE: {
    status: 422,
    retry: false,
    message: (p: { why: string }) => `The model cannot be trained: ${p.why}.`,
  },
  LOSS_DOES_NOT_FIT: {
    status: 422,
    retry: false,
    message: (p: { loss: string; why: string }) =>
      `The loss '${p.loss}' does not fit the model and its data: ${p.why}.`,
  },
  OP_HAS_NO_GRADIENT: {
    status: 422,
    retry: false,
    message: (p: { op: string; node: string }) =>
      `Node '${p.node}' is a ${p.op}, which has no gradient rule, but lies between the loss and a trained weight.`,
  },
  OP_NOT_DIFFERENTIABLE: {
    status: 422,
    retry: false,
    message: (p: { op: string; node: string; why: string }) =>
      `Node '${p.node}' is a ${p.op}, which is not differentiated: ${p.why}.`,
  },
  INPUT_SHAPE_UNSUPPORTED: {
    status: 422,
    retry: false,
    message: (p: { where: string; why: string }) =>
      `The model cannot take another input shape: ${p.where}: ${p.why}.`,
  },
  SHAPE_UNKNOWN: {
    status: 422,
    retry: false,
    message: (p: { value: string; shape: string }) =>
      `The shape of '${p.value}' is not known (${p.shape}): fix the input shape with simplify's option inputShape.`,
  },
} as const satisfies Record<string, ErrorEntry>;
