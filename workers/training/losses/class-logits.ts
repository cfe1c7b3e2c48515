/** @file Where a classifier's logits are: before the Softmax or Sigmoid that makes scores of them, if there is one. */

import type { Graph, Value } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import type { ClassifyHead } from '../../tasks/classify.ts';
import type { TaskBinding } from '../../tasks/task.ts';

/** Ops that turn logits into scores, and those that only change their form. */
const SCORES = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);
const FORM = new Set(['Identity', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze', 'Cast']);

/** @returns the logits, [B, classes] or that with axes of 1, and their number; or in words why there are none */
export function classLogits(
  graph: Graph,
  binding: TaskBinding,
): { readonly logits: Value; readonly classes: number } | string {
  if (binding.task !== 'classify') return `its task is ${binding.task}`;
  const { output, classes } = binding.head as ClassifyHead;
  const index = new GraphIndex(graph);
  const value = graph.outputs.find((v) => v.name === output);
  if (value === undefined) return `it has no output '${output}'`;
  let at = value;
  for (let node = index.producer(at); node; node = index.producer(at)) {
    const [x] = node.inputs;
    if (x === undefined || !(SCORES.has(node.op) || FORM.has(node.op))) break;
    at = x;
    if (SCORES.has(node.op)) return { logits: at, classes };
  }
  return { logits: value, classes };
}
