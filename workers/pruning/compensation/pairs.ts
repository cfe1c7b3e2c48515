/** @file Which layer of a cut model was which, and which of its outputs are left. */

import { type Model, shapeKnown, type Value } from '../../onnx/graph.ts';
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
  return original.graph.nodes.flatMap((node) => {
    const output = node.outputs[0];
    const left = after.get(output?.name);
    const shape = output && shapeKnown(output);
    if (!shape || !left || left.op !== node.op || weightIndex(node) === undefined) return [];
    const axis = outputAxis(node.op, shape.length, weightIndex(node)!);
    const size = shape[axis];
    const kept =
      cuts.get(`${axis} ${output!.name}`) ?? (typeof size === 'number' ? range(size) : undefined);
    return kept ? [{ original: node, pruned: left, keptOutputs: kept }] : [];
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
    return [{ output, outputAxis: outputAxis(node.op, shape.length, at) }];
  });
}

/** Convolutions make axis 1, products the last axis, or the one before it where the weight stands on the left. */
function outputAxis(op: string, rank: number, weight: number): number {
  if (op !== 'MatMul') return 1;
  return weight === 0 ? rank - 2 : rank - 1;
}
