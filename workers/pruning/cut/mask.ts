/** @file The original with channels multiplied by zero. */

import { cloneModel } from '../../onnx/clone.ts';
import { type Graph, type Model, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { numbersAs } from '../../onnx/values.ts';
import type { CutGroup } from './cut.ts';

/**
 * A copy of `model` in which every listed tensor is multiplied by 0 on the places not kept, before anybody uses it.
 *
 * @param model with inferred types
 */
export function maskModel(model: Model, report: readonly CutGroup[]): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const names = new Names(graph);
  const made = new Map(
    graph.nodes.flatMap((node) => node.outputs.flatMap((y) => (y ? [[y.name, y] as const] : []))),
  );
  const masks = new Map(
    report.flatMap(({ tensors }) => tensors).map((t) => [`${t.name}\0${t.axis}`, t] as const),
  );
  for (const { name, axis, size, kept } of masks.values()) {
    const value = made.get(name);
    if (value) insert(graph, names, value, axis, { size, kept });
  }
  return copy;
}

/** value := value′ · mask, where value′ is what was made so far; whoever uses the value sees the product. */
function insert(
  graph: Graph,
  names: Names,
  value: Value,
  axis: number,
  { size, kept }: { readonly size: number; readonly kept: readonly number[] },
): void {
  const mask = new Value(names.fresh(`${value.name}/mask`));
  mask.constant = maskTensor(value, axis, size, kept);
  mask.type = { kind: 'tensor', dtype: mask.constant.dtype, shape: mask.constant.dims };
  const before = new Value(names.fresh(`${value.name}/unmasked`), value.type);
  const at = graph.nodes.findIndex((node) => node.outputs.includes(value));
  const maker = graph.nodes[at]!;
  maker.outputs = maker.outputs.map((y) => (y === value ? before : y));
  const product: Node = {
    name: mask.name,
    op: 'Mul',
    domain: '',
    inputs: [before, mask],
    outputs: [value],
    attributes: {},
  };
  graph.nodes.splice(at + 1, 0, product);
  graph.initializers.push(mask);
}

/** 1 where a place stays and 0 elsewhere, shaped to broadcast along `axis`. */
function maskTensor(value: Value, axis: number, size: number, kept: readonly number[]): Tensor {
  const stays = new Set(kept);
  const rank = shapeKnown(value)!.length;
  const dims = Array.from({ length: rank - axis }, (_, i) => (i === 0 ? size : 1));
  const numbers = Array.from({ length: size }, (_, place) => (stays.has(place) ? 1 : 0));
  return numbersAs(value.type?.kind === 'tensor' ? value.type.dtype : 'float32', dims, numbers);
}
