/** @file Which layer of a cut model was which, and which of its outputs are left. */

import { intOf } from '../../onnx/attributes.ts';
import { type Model, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import { range } from '../../onnx/static-shapes.ts';
import { isTrained, weightIndex } from '../../onnx/trained.ts';
import type { CutGroup } from '../cut/cut.ts';
import type { LayerPair } from './layer-pairs.ts';

/**
 * Every weighted layer that both models have: nodes are told by what they make, for names of values stay.
 *
 * @param report of the cut that made `pruned` from `original`
 */
export function layerPairs(
  original: Model,
  pruned: Model,
  report: readonly CutGroup[],
): LayerPair[] {
  const after = new Map(pruned.graph.nodes.map((n) => [n.outputs[0]?.name, n]));
  const cuts = new Map(
    report.flatMap(({ tensors }) => tensors).map((t) => [`${t.axis} ${t.name}`, t.kept]),
  );
  const keptOf = (value: Value | undefined, axis: number) => {
    const size = value && shapeKnown(value)?.at(axis);
    const places = value && cuts.get(`${axis} ${value.name}`);
    return places ?? (typeof size === 'number' ? range(size) : undefined);
  };
  return original.graph.nodes.flatMap((node) => {
    const at = weightIndex(node);
    const output = node.outputs[0];
    const left = after.get(output?.name);
    const shape = output && shapeKnown(output);
    if (!shape || !left || left.op !== node.op || at === undefined) return [];
    const keptOutputs = keptOf(output, channelAxis(node, shape.length, at));
    const input = node.inputs[1 - at];
    const rank = input && shapeKnown(input)?.length;
    const keptInputs = rank ? keptOf(input, inputAxis(node, rank, at)) : undefined;
    return keptOutputs ? [{ original: node, pruned: left, keptOutputs, keptInputs }] : [];
  });
}

/** Outputs of every weighted layer, and the axis of their channels. */
export function layerOutputs({
  graph,
}: Model): { readonly output: Value; readonly outputAxis: number }[] {
  return graph.nodes.flatMap((node) => {
    const at = weightIndex(node);
    const output = node.outputs[0];
    const shape = output && shapeKnown(output);
    if (at === undefined || !output || !shape || !isTrained(node)) return [];
    return [{ output, outputAxis: channelAxis(node, shape.length, at) }];
  });
}

/** Convolutions make axis 1, products the last axis, or the one before it where the weight stands on the left. */
function channelAxis({ op }: Node, rank: number, weight: number): number {
  if (op !== 'MatMul') return 1;
  return weight === 0 ? rank - 2 : rank - 1;
}

const inputAxis = (node: Node, rank: number, weight: number): number =>
  node.op === 'Gemm' && intOf(node, 'transA', 0) === 1 ? 0 : channelAxis(node, rank, weight);
