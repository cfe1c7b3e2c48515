/** @file Layers that least squares can rebuild: each as Y = W·X + b over positions, by groups of channels. */

import { type Window, windowOf } from '../../autodiff/rules/convolution.ts';
import { floatOf, intOf } from '../../onnx/attributes.ts';
import type { Node, Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { isTrained } from '../../onnx/trained.ts';
import type { GraphIndex } from '../../onnx/uses.ts';
import { floatsOf } from '../../onnx/values.ts';

/** A weight as `groups` matrices of (outputs, inputs): inputs are channels × kernel taps. */
export interface Layer {
  readonly node: Node;
  readonly input: Value;
  readonly output: Value;
  readonly weight: Value;
  /** Axis of input and output along which their channels lie. */
  readonly inputAxis: number;
  readonly outputAxis: number;
  readonly groups: number;
  /** Outputs and inputs (channels × taps) of one group. */
  readonly rows: number;
  readonly columns: number;
  /** Where the kernel stands; undefined: one position in is one position out. */
  readonly window: Window | undefined;
  /** Where the bias is, or could be; undefined: the layer has no place for one. */
  readonly bias: BiasPlace | undefined;
  /** (columns, rows) in the tensor instead of (rows, columns). */
  readonly transposed: boolean;
  /** Factors of Gemm. */
  readonly alpha: number;
  readonly beta: number;
}

export interface BiasPlace {
  /** `bias`: an input of the layer; `add`: of the Add that alone follows it. */
  readonly kind: 'bias' | 'add';
  /** The constant; undefined: there is none yet. */
  readonly value: Value | undefined;
}

/** @returns undefined for what least squares cannot rebuild: other ops, weights that nobody trained, two activations, batches of weights, shared constants */
export function layerOf(node: Node, index: GraphIndex): Layer | undefined {
  if (!node.outputs[0] || !isTrained(node)) return undefined;
  const layer =
    node.op === 'Conv'
      ? convLayer(node)
      : node.op === 'Gemm'
        ? gemmLayer(node)
        : node.op === 'MatMul'
          ? matmulLayer(node, index)
          : undefined;
  if (layer === undefined) return undefined;
  const own = (v: Value | undefined) => v === undefined || index.uses(v).length === 1;
  return own(layer.weight) && own(layer.bias?.value) ? layer : undefined;
}

function convLayer(node: Node): Layer | undefined {
  const [input, weight, bias] = node.inputs;
  const output = node.outputs[0]!;
  if (!input || !weight?.constant || (bias && !bias.constant)) return undefined;
  const [m, c, ...kernel] = weight.constant.dims as [number, number, ...number[]];
  const window = windowOf(node, shapeOf(input).slice(2), shapeOf(output).slice(2), kernel);
  return {
    ...{ node, input, output, weight, window, inputAxis: 1, outputAxis: 1, transposed: false },
    ...{ groups: window.group, rows: m / window.group, columns: c * sizeOf(kernel) },
    ...{ bias: { kind: 'bias', value: bias }, alpha: 1, beta: 1 },
  };
}

function gemmLayer(node: Node): Layer | undefined {
  const [input, weight, bias] = node.inputs;
  if (!input || !weight?.constant || input.constant) return undefined;
  const transposed = intOf(node, 'transB', 0) === 0;
  const [a, b] = weight.constant.dims as [number, number];
  const [rows, columns] = transposed ? [b, a] : [a, b];
  if (bias && bias.constant?.size !== rows) return undefined;
  if (bias && bias.constant!.dims.at(-1) !== rows) return undefined;
  return {
    ...{
      node,
      input,
      output: node.outputs[0]!,
      weight,
      window: undefined,
      groups: 1,
      rows,
      columns,
    },
    ...{ inputAxis: intOf(node, 'transA', 0) === 1 ? 0 : 1, outputAxis: 1, transposed },
    ...{ alpha: floatOf(node, 'alpha', 1), beta: bias ? floatOf(node, 'beta', 1) : 1 },
    bias: { kind: 'bias', value: bias },
  };
}

function matmulLayer(node: Node, index: GraphIndex): Layer | undefined {
  const output = node.outputs[0]!;
  const left = node.inputs[0]?.constant !== undefined;
  const [weight, input] = left ? node.inputs : node.inputs.toReversed();
  if (!input || input.constant || weight?.constant?.dims.length !== 2) return undefined;
  const rank = shapeOf(input).length;
  if (rank < 2) return undefined;
  const [a, b] = weight.constant.dims as [number, number];
  const axis = left ? rank - 2 : rank - 1;
  const add = left ? undefined : addedAfter(output, b, index);
  return {
    ...{ node, input, output, weight, window: undefined, groups: 1, transposed: !left },
    ...{ rows: left ? a : b, columns: left ? b : a, inputAxis: axis, outputAxis: axis },
    ...{ bias: add && { kind: 'add', value: add }, alpha: 1, beta: 1 },
  };
}

/** The constant vector that an Add, the only use of `value`, adds along the last axis. */
function addedAfter(value: Value, size: number, index: GraphIndex): Value | undefined {
  const [use, another] = index.uses(value);
  if (!use || another || use.node.op !== 'Add' || index.isOutput(value)) return undefined;
  const other = use.node.inputs[1 - use.index];
  return other?.constant?.size === size && other.constant.dims.at(-1) === size ? other : undefined;
}

/** α·W of one group, (rows, columns) row-major. */
export function matrixOf(layer: Layer, group: number): Float64Array {
  const values = floatsOf(layer.weight.constant!);
  const { rows, columns, transposed, alpha } = layer;
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const place = transposed ? c * rows + r : (group * rows + r) * columns + c;
      out[r * columns + c] = alpha * values[place]!;
    }
  return out;
}

/** β·b of one group as far as the layer adds it itself: 0 where there is none, or an Add after it does. */
export function biasOf({ bias, rows, beta }: Layer, group: number): Float64Array {
  if (bias?.kind !== 'bias' || !bias.value) return new Float64Array(rows);
  const all = floatsOf(bias.value.constant!);
  return Float64Array.from({ length: rows }, (_, r) => beta * all[group * rows + r]!);
}
