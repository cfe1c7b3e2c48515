/** @file Factorized layers into a graph. */

import { cloneModel } from '../../../onnx/clone.ts';
import { type Model, type Node, nodeLabel, Value } from '../../../onnx/graph.ts';
import { Names } from '../../../onnx/names.ts';
import type { Candidate, Part } from './form.ts';
import type { Factorizable } from './layers.ts';

export interface Decision {
  readonly of: Factorizable;
  readonly candidate: Candidate;
}

const prepared = ({ of, candidate }: Decision) => of.forms[candidate.form]!;

/** A copy in which each layer is its chain. The last part makes the layer's output, under the layer's name, and adds its bias. */
export function writeFactors(model: Model, decisions: readonly Decision[]): Model {
  const copy = cloneModel(model);
  const names = new Names(copy.graph);
  const byOutput = new Map(decisions.map((d) => [d.of.layer.node.outputs[0]!.name, d]));
  copy.graph.nodes = copy.graph.nodes.flatMap((node) => {
    const decision = byOutput.get(node.outputs[0]?.name ?? '');
    if (!decision) return [node];
    const parts = prepared(decision).parts(decision.candidate.ranks);
    return chain(copy, names, node, parts);
  });
  const used = new Set(copy.graph.nodes.flatMap((n) => n.inputs));
  const gone = new Set(decisions.map((d) => d.of.layer.weight.name));
  copy.graph.initializers = copy.graph.initializers.filter((v) => !gone.has(v.name) || used.has(v));
  return copy;
}

function chain(model: Model, names: Names, node: Node, parts: readonly Part[]): Node[] {
  let x = node.inputs[0]!;
  return parts.map((part, k) => {
    const last = k === parts.length - 1;
    const stem = `${nodeLabel(node)}/factor${k + 1}`;
    const weight = new Value(names.fresh(`${node.inputs[1]!.name}/factor${k + 1}`));
    weight.constant = part.weight;
    weight.type = { kind: 'tensor', dtype: 'float32', shape: part.weight.dims };
    model.graph.initializers.push(weight);
    const y = last ? node.outputs[0]! : new Value(names.fresh(`${stem}_output`));
    const inputs = last ? [x, weight, ...node.inputs.slice(2)] : [x, weight];
    x = y;
    return {
      ...{ name: last ? node.name : names.fresh(stem), op: part.op, domain: '' },
      ...{ inputs, outputs: [y], attributes: part.attributes },
    };
  });
}

/** A copy of the full model with the weights that the chains amount to: what the proof compares with. */
export function writeProducts(model: Model, decisions: readonly Decision[]): Model {
  const copy = cloneModel(model);
  const byName = new Map(copy.graph.initializers.map((v) => [v.name, v]));
  for (const decision of decisions)
    byName.get(decision.of.layer.weight.name)!.constant = prepared(decision).whole(
      decision.candidate.ranks,
    );
  return copy;
}
