/** @file Which models can be quantized at all, and which are quantized already. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Graph, Model } from '../onnx/graph.ts';
import { weightIndex } from '../onnx/trained.ts';

const DYNAMIC = [
  'ConvInteger',
  'MatMulInteger',
  'DynamicQuantizeLinear',
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
];

/** In words how a graph is quantized; undefined where it is not. */
export function quantizedForm(graph: Graph): string | undefined {
  const ops = new Map<string, number>();
  for (const { op } of graph.nodes) ops.set(op, (ops.get(op) ?? 0) + 1);
  const count = (test: (op: string) => boolean) =>
    [...ops].reduce((n, [op, k]) => n + (test(op) ? k : 0), 0);
  const dynamic = count((op) => DYNAMIC.includes(op));
  const operators = count((op) => /^QLinear|^QGemm$|^QAttention$|^MatMulNBits$/.test(op));
  const pairs = count((op) => op === 'DequantizeLinear');
  if (dynamic > 0) return `dynamic: ${dynamic} ops quantize at run time`;
  if (operators > 0) return `QOperator: ${operators} integer ops`;
  if (pairs > 0) return `QDQ: ${pairs} DequantizeLinear`;
  return undefined;
}

/** @throws MODEL_ALREADY_QUANTIZED */
export function refuseQuantized({ graph }: Model): void {
  const form = quantizedForm(graph);
  if (form) throw new ServiceError('MODEL_ALREADY_QUANTIZED', { form });
}

/**
 * @throws MODEL_ALREADY_QUANTIZED
 * @throws MODEL_NOT_FLOAT32 a weight of another float type, by name
 */
export function refuseUnquantizable(model: Model): void {
  refuseQuantized(model);
  const { graph } = model;
  for (const node of graph.nodes) {
    const index = weightIndex(node);
    const weight = index === undefined ? undefined : node.inputs[index];
    const dtype = weight?.constant?.dtype;
    if (dtype && dtype !== 'float32')
      throw new ServiceError('MODEL_NOT_FLOAT32', { tensor: weight!.name, dtype });
  }
}
