/** @file The tensors of a group as criteria look at them. */

import type { Value } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { GraphIndex } from '../../onnx/uses.ts';
import { numbersOf, valuesOf } from '../../onnx/values.ts';
import type { Group } from '../coupling/groups.ts';
import type { Role, Slice } from './slices.ts';

/** An axis of a tensor, and which of its entries each channel of a group owns. */
export interface Axis {
  readonly value: Value;
  readonly axis: number;
  readonly indices: readonly (readonly number[])[];
}

/** A slice, and the tensor of the graph that it is of. */
export interface OwnedSlice extends Slice {
  readonly value: Value;
}

/** Every constant that the group's channels own a part of. */
export function slicesOf(group: Group): OwnedSlice[] {
  return group.parameters.map(({ value, axis, indices }) => ({
    value,
    role: roleOf(group, value, axis),
    dims: value.constant!.dims,
    values: weightsOf(value.constant!),
    axis,
    indices,
  }));
}

/** Elements as they lie, where they are numbers: a list of them would be many times as large. */
const weightsOf = (tensor: Tensor): ArrayLike<number> =>
  /^float(32|64)$/.test(tensor.dtype) ? (valuesOf(tensor) as Float32Array) : numbersOf(tensor);

/** Filters of the producers: neither biases nor what consumers keep of the channels. */
export const producerSlices = (group: Group): OwnedSlice[] =>
  slicesOf(group).filter(({ role }) => role === 'producer');

/** Filters and biases of the producers, as tensors of the graph. */
export function producerWeights(group: Group): Axis[] {
  const biases = new Set(group.producers.map(({ node }) => node.inputs[2]).filter(Boolean));
  return group.parameters.filter(
    ({ value, axis }) => roleOf(group, value, axis) === 'producer' || biases.has(value),
  );
}

/** Outputs of the producers before any activation function, biases and norms included: what a cut takes away. */
export const producerOutputs = (group: Group, index: GraphIndex): Axis[] =>
  axesOf(
    group,
    group.producers.map(({ output }) => afterBias(output, index)),
  );

/** The end of the constant Adds and BatchNormalizations that alone follow. */
function afterBias(value: Value, index: GraphIndex): Value {
  const [use, another] = index.uses(value);
  if (!use || another || index.isOutput(value)) return value;
  const { op, inputs, outputs } = use.node;
  const shifts = op === 'BatchNormalization' || (op === 'Add' && inputs[1 - use.index]?.constant);
  return shifts && outputs[0] ? afterBias(outputs[0], index) : value;
}

/** What the consumers take in, each tensor once. */
export const consumerInputs = (group: Group): Axis[] =>
  axesOf(
    group,
    group.consumers.map(({ input }) => input),
  );

function axesOf(group: Group, values: readonly Value[]): Axis[] {
  const wanted = new Set(values);
  return group.activations.filter(({ value }) => wanted.has(value));
}

/** A weight whose producer is its consumer too has both roles, on different axes: the one that a node sums over is the consumer's. */
function roleOf(group: Group, value: Value, axis: number): Role {
  const made = group.producers.find(({ weight }) => weight === value);
  const taken = group.consumers.find(({ weight }) => weight === value);
  const rank = value.constant!.dims.length;
  if (rank <= 1)
    return group.producers.some(({ node }) => node.inputs[2] === value) ? 'bias' : 'norm';
  if (made && taken) return axis === outputAxis(made.node) ? 'producer' : 'consumer';
  return made ? 'producer' : taken ? 'consumer' : 'norm';
}

/** Axis of a weight along which its node's output channels lie. */
function outputAxis({ op, attributes }: Group['producers'][number]['node']): number {
  if (op === 'MatMul' || op === 'ConvTranspose') return 1;
  return op === 'Gemm' && attributes['transB']?.type === 'int' && attributes['transB'].value === 0
    ? 1
    : 0;
}
