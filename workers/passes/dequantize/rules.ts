/** @file What each quantized op is in float: one line per op. */

import { intOf } from '../../onnx/attributes.ts';
import type { Node } from '../../onnx/graph.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { codingOf, rectifying, refuse } from './codes.ts';
import type { Rewriting } from './rewriting.ts';

/** Puts what the node is in float in its place. */
export type Rule = (node: Node, r: Rewriting) => void;

const quantize: Rule = (node, r) => {
  const [x, scale, zero] = node.inputs;
  const y = node.outputs[0]!;
  if (intOf(node, 'block_size', 0) > 0) refuse(node, 'it quantizes in blocks');
  const coding = codingOf(node, scale, zero, intOf(node, 'axis', 1));
  const range = rectifying(coding, zero);
  r.mark(y, coding);
  if (range && !r.isNonNegative(x!)) r.clip(node, x!, y, range);
  else {
    r.alias(node, y, x!);
    r.mark(x!, coding);
  }
};

const dequantize: Rule = (node, r) => {
  const [codes, scale, zero] = node.inputs;
  if (intOf(node, 'block_size', 0) > 0) refuse(node, 'it dequantizes in blocks');
  r.alias(node, node.outputs[0]!, r.operand(node, codes!, scale, zero, intOf(node, 'axis', 1)));
};

/** x, scale, zero (…) of each of `operands` operands, then the result's scale and zero: the op of another name on floats. */
const plain =
  (op: string, operands: number): Rule =>
  (node, r) => {
    if (intOf(node, 'channels_last', 0) === 1) refuse(node, 'its channels come last');
    const { inputs } = node;
    const read = Array.from({ length: operands }, (_, i) =>
      r.operand(node, inputs[3 * i]!, inputs[3 * i + 1], inputs[3 * i + 2]),
    );
    r.put(node, op, read, ['channels_last', 'opset']);
    r.written(node, inputs[3 * operands], inputs[3 * operands + 1]);
  };

const convolution: Rule = (node, r) => {
  const [x, xs, xz, w, ws, wz, ys, yz, bias] = node.inputs;
  const read = [r.operand(node, x!, xs, xz), r.operand(node, w!, ws, wz)];
  if (bias) {
    const [s] = codingOf(node, xs, xz, 0).scales;
    const scales = codingOf(node, ws, wz, 0).scales.map((k) => Math.fround(k * s!));
    if (!bias.constant) refuse(node, 'its bias is computed at run time');
    read.push(r.constant(bias, { scales, zeros: scales.map(() => 0), axis: 0 }));
  }
  r.put(node, 'Conv', read);
  r.written(node, ys, yz);
};

const concat: Rule = (node, r) => {
  const [ys, yz, ...rest] = node.inputs;
  const parts = Array.from({ length: rest.length / 3 }, (_, i) =>
    r.operand(node, rest[3 * i]!, rest[3 * i + 1], rest[3 * i + 2]),
  );
  r.put(node, 'Concat', parts);
  r.written(node, ys, yz);
};

/** Codes, scale, zero: the numbers themselves, in units of 1. */
const dynamicQuantize: Rule = (node, r) => {
  const [x] = node.inputs;
  const [codes, scale] = node.outputs;
  r.alias(node, codes!, x!);
  if (scale) r.alias(node, scale, r.initializer(`${scale.name}/one`, Tensor.float32([], [1])));
};

/**
 * A product of codes. The scale of its weight stands in a later node, Mul(Cast(product), Mul(scale of x, scale of w)),
 * and goes into the weight where it is found there.
 */
const integerProduct =
  (op: string): Rule =>
  (node, r) => {
    const [x, w, , wz] = node.inputs;
    if (!w?.constant || (wz && !wz.constant)) refuse(node, 'its weight is computed at run time');
    const zeros = wz?.constant ? codingOf(node, wz, undefined, 0).scales : [0];
    const scales = r.takeScale(node);
    const count = Math.max(zeros.length, scales.length);
    const spread = (list: readonly number[]) =>
      Array.from({ length: count }, (_, i) => list[i] ?? list[0]!);
    const coding = { scales: spread(scales), zeros: spread(zeros), axis: op === 'Conv' ? 0 : -1 };
    r.put(node, op, [x, r.constant(w, coding)]);
  };

export const DEQUANTIZED: Readonly<Record<string, Rule>> = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  QLinearConv: convolution,
  QLinearMatMul: plain('MatMul', 2),
  QLinearAdd: plain('Add', 2),
  QLinearMul: plain('Mul', 2),
  QLinearSigmoid: plain('Sigmoid', 1),
  QLinearLeakyRelu: plain('LeakyRelu', 1),
  QLinearAveragePool: plain('AveragePool', 1),
  QLinearGlobalAveragePool: plain('GlobalAveragePool', 1),
  QLinearSoftmax: plain('Softmax', 1),
  QLinearConcat: concat,
  DynamicQuantizeLinear: dynamicQuantize,
  ConvInteger: integerProduct('Conv'),
  MatMulInteger: integerProduct('MatMul'),
};

/** Ops that hand codes on as they are: numbers as well. */
export const HANDS_ON = new Set(
  'MaxPool Reshape Transpose Resize Split Slice Concat Squeeze Unsqueeze Flatten Gather Identity Expand'.split(
    ' ',
  ),
);
