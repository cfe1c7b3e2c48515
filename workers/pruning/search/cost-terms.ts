/** @file What a model costs, as products of the lengths of tensors' axes. */

import { intOf } from '../../onnx/attributes.ts';
import { countMacs, countParams, macsOf, parameterValues } from '../../onnx/cost.ts';
import { type Model, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import type { AxisOf } from './axis-places.ts';

export type Resource = 'macs' | 'params' | 'bytes';

/** rate · Π lengths of the factors' axes. */
export interface Term {
  readonly rate: number;
  readonly factors: readonly AxisOf[];
}

/** Terms that may shrink, and what the model costs in all; the difference never changes. */
export interface Costs {
  readonly total: number;
  readonly terms: readonly Term[];
}

/** @param fileBytes size of the model's file */
export const COSTS: Readonly<Record<Resource, (model: Model, fileBytes: number) => Costs>> = {
  macs: (model) => ({ total: countMacs(model), terms: model.graph.nodes.flatMap(macsTerm(model)) }),
  params: (model) => ({
    total: countParams(model),
    terms: parameterValues(model).map((value) => constantTerm(value, 1)),
  }),
  bytes: ({ graph }, fileBytes) => ({
    total: fileBytes,
    terms: graph.initializers.flatMap((value) => {
      const { bytes, size } = value.constant!;
      return size > 0 ? [constantTerm(value, bytes.length / size)] : [];
    }),
  }),
};

const axesOf = (value: Value, from = 0): AxisOf[] =>
  Array.from({ length: rankOf(value) - from }, (_, i) => ({ value, axis: from + i }));

const rankOf = (value: Value): number => (value.constant?.dims ?? shapeKnown(value) ?? []).length;

const constantTerm = (value: Value, rate: number): Term => ({ rate, factors: axesOf(value) });

/** A node's MACs: its output times what each output sums over. */
const macsTerm =
  ({ graph }: Model) =>
  (node: Node): Term[] => {
    const macs = macsOf(node, graph);
    if (macs === 0) return [];
    const factors = macsFactors(node);
    return [{ rate: macs / factors.reduce((n, f) => n * lengthOf(f), 1), factors }];
  };

function macsFactors(node: Node): AxisOf[] {
  const [x, w, y] = [node.inputs[0]!, node.inputs[1]!, node.outputs[0]!];
  switch (node.op) {
    case 'Conv':
      return [...axesOf(y), ...axesOf(w, 1)];
    case 'ConvTranspose':
      return [...axesOf(x), ...axesOf(w, 1)];
    case 'Gemm':
      return [...axesOf(y), { value: x, axis: intOf(node, 'transA', 0) === 1 ? 0 : 1 }];
    default:
      return [...axesOf(y), { value: x, axis: rankOf(x) - 1 }];
  }
}

/** 1 where a size is not known: it never changes then. */
export function lengthOf({ value, axis }: AxisOf): number {
  const length = (value.constant?.dims ?? shapeKnown(value) ?? [])[axis];
  return typeof length === 'number' && length > 0 ? length : 1;
}
