/** @file New weights into a layer's constants, in their own element types. */

import { type Graph, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { numbersAs, numbersOf } from '../../onnx/values.ts';
import type { Layer } from './layer.ts';

/** New W (groups, rows, columns) and b (groups · rows) of a layer, as `matrixOf` and `biasOf` read them. */
export interface NewWeights {
  readonly weight: Float64Array;
  /** Undefined: the layer has no place for a bias. */
  readonly bias: Float64Array | undefined;
}

/** Put them into the constants of the layer's graph; a Conv or Gemm without a bias gets one. */
export function writeLayer(graph: Graph, layer: Layer, { weight, bias }: NewWeights): void {
  const old = layer.weight.constant!;
  layer.weight.constant = typed(old, old.dims, inTensorOrder(layer, weight));
  if (bias === undefined || layer.bias === undefined) return;
  const { kind, value } = layer.bias;
  if (value === undefined) addBias(graph, layer, bias);
  else {
    const before = kind === 'add' ? numbersOf(value.constant!) : undefined;
    const after = Array.from(bias, (b, i) => (before ? before[i]! + b : b / layer.beta));
    value.constant = typed(value.constant!, value.constant!.dims, after);
  }
}

const typed = (like: Tensor, dims: readonly number[], numbers: readonly number[]) =>
  numbersAs(like.dtype, dims, numbers);

function inTensorOrder({ rows, columns, transposed, alpha }: Layer, weight: Float64Array) {
  if (!transposed) return Array.from(weight, (w) => w / alpha);
  return Array.from(weight, (_, place) => {
    const [c, r] = [Math.floor(place / rows), place % rows];
    return weight[r * columns + c]! / alpha;
  });
}

function addBias(graph: Graph, { node, weight }: Layer, bias: Float64Array): void {
  const tensor = typed(weight.constant!, [bias.length], Array.from(bias));
  const type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims } as const;
  const name = new Names(graph).fresh(`${weight.name}/bias`);
  const value = new Value(name, type, tensor);
  graph.initializers.push(value);
  node.inputs[2] = value;
}
