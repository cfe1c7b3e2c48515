/** @file Residual branches: y = s + f(s), of which f can be left out. */

import { cloneModel } from '../../onnx/clone.ts';
import { countMacs } from '../../onnx/cost.ts';
import { type Model, type Node, nodeLabel, shapeKnown, type Value } from '../../onnx/graph.ts';
import { range } from '../../onnx/static-shapes.ts';
import { GraphIndex, replaceUses } from '../../onnx/uses.ts';
import { dropDeadCode } from '../../passes/dead-code.ts';
import { takenBy } from '../compensation/plan.ts';
import type { CutGroup } from '../cut/cut.ts';
import type { Maskable } from '../masked-loss.ts';

/** One branch of an Add that the other operand is the input of. */
export interface Block extends Maskable {
  /** Name of the sum. */
  readonly sum: string;
  /** Name of what the branch adds. */
  readonly branch: string;
  /** Operand of the Add that is left without it. */
  readonly skip: 0 | 1;
  /** Axis of the branch that a report tells of, and its size. */
  readonly axis: number;
  readonly size: number;
}

/** Every residual branch with weights of its own, in graph order. The branch's result is used by the Add alone. */
export function findBlocks(model: Model): Block[] {
  const { graph } = model;
  const index = new GraphIndex(graph);
  const whole = countMacs(model);
  return graph.nodes.flatMap((node) => {
    const [a, b] = node.inputs;
    if (node.op !== 'Add' || node.domain !== '' || !a || !b) return [];
    const sides = ([0, 1] as const).filter((skip) =>
      isBranch(node, node.inputs[skip]!, node.inputs[1 - skip]!, index),
    );
    if (sides.length !== 1) return [];
    const block = describe(node, sides[0]!);
    return countMacs(withoutBlocks(model, [block])) < whole ? [block] : [];
  });
}

/** The branch depends on the skip, nothing is stretched, and nobody else looks at the branch. */
function isBranch({ outputs }: Node, skip: Value, branch: Value, index: GraphIndex): boolean {
  const shapes = [skip, branch, outputs[0]!].map((v) => String(shapeKnown(v)));
  if (skip.constant || branch.constant || shapes.some((s) => s !== shapes[0])) return false;
  if (index.uses(branch).length !== 1 || index.isOutput(branch)) return false;
  return dependsOn(branch, skip, index);
}

function dependsOn(value: Value, on: Value, index: GraphIndex): boolean {
  const seen = new Set<Value>();
  const open = [value];
  for (let next = open.pop(); next; next = open.pop()) {
    if (next === on) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    const maker = index.producer(next);
    if (maker) open.push(...takenBy(maker));
  }
  return false;
}

function describe({ inputs, outputs }: Node, skip: 0 | 1): Block {
  const branch = inputs[1 - skip]!;
  const shape = shapeKnown(branch)!;
  // Channels come second in pictures, last in sequences.
  const axis = shape.length === 4 ? 1 : shape.length - 1;
  const size = Number(shape[axis]);
  return {
    ...{ sum: outputs[0]!.name, branch: branch.name, skip, axis, size },
    activations: [{ value: branch, axis, indices: [range(size)], mixed: true }],
  };
}

/** A copy in which the sums are what they skip to; nodes and weights that nobody needs any more are gone. */
export function withoutBlocks(model: Model, blocks: readonly Block[]): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  for (const { sum, skip } of blocks) {
    const at = graph.nodes.findIndex((n) => n.outputs[0]?.name === sum);
    if (at < 0) continue;
    const add = graph.nodes[at]!;
    const left = add.inputs[skip]!;
    const y = add.outputs[0]!;
    // The name of a graph's output stays.
    if (graph.outputs.includes(y)) Object.assign(add, { op: 'Identity', inputs: [left] });
    else {
      graph.nodes.splice(at, 1);
      replaceUses(graph, y, left);
    }
  }
  dropDeadCode.run(copy, { threads: 1, allowance: 0, decline: () => {} });
  return copy;
}

/** What a report says of dropped blocks: nothing of the branch is kept. */
export const droppedBlocks = (model: Model, blocks: readonly Block[]): CutGroup[] =>
  blocks.map(({ sum, branch, axis, size }) => {
    const add = model.graph.nodes.find((n) => n.outputs[0]?.name === sum)!;
    const reason = `the residual branch '${branch}' is dropped: ${add.op} '${nodeLabel(add)}' is what it adds to`;
    return { tensors: [{ name: branch, axis, size, kept: [] }], reason };
  });
