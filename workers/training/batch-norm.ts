/** @file BatchNormalization while training: statistics of the batch, running means kept beside. */

import { int } from '../onnx/attributes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { Value } from '../onnx/graph.ts';
import { floatsOf } from '../onnx/values.ts';

export interface RunningStatistic {
  readonly before: Value;
  readonly after: Value;
  readonly initial: Float32Array<ArrayBuffer>;
}

/**
 * Every BatchNormalization with constant statistics takes those of the batch instead; its running mean and variance become
 * inputs, and their updates running·momentum + batch·(1 − momentum) values of their own.
 */
export function useBatchStatistics({ graph }: GraphBuilder): RunningStatistic[] {
  const found: RunningStatistic[] = [];
  for (const node of graph.nodes) {
    if (node.op !== 'BatchNormalization' || node.domain !== '') continue;
    const running = [node.inputs[3], node.inputs[4]];
    if (!running.every((v) => v?.constant?.dtype === 'float32')) continue;
    node.attributes['training_mode'] = int(1);
    const updates = running.map((value) => {
      const before = value!;
      const initial = Float32Array.from(floatsOf(before.constant!));
      before.constant = undefined;
      const after = new Value(`${before.name}/updated`, before.type);
      found.push({ before, after, initial });
      return after;
    });
    node.outputs = [node.outputs[0], ...updates];
  }
  const inputs = new Set(found.map((s) => s.before));
  graph.initializers = graph.initializers.filter((v) => !inputs.has(v));
  graph.inputs = [...graph.inputs.filter((v) => !inputs.has(v)), ...inputs];
  return found;
}
