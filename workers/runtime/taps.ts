/** @file Looking at values inside a model: a copy of it that returns them. */

import { cloneModel } from '../onnx/clone.ts';
import type { Model, Value } from '../onnx/graph.ts';
import { subByteValues } from './sub-byte.ts';

/**
 * A copy of `model` whose outputs are the given values, in that order, each once.
 *
 * Types are left for the runtime to find. Values that it cannot return (2- and 4-bit elements) and names that no node,
 * input or initializer of the model's own graph carries are left out.
 *
 * @param values values of the model, or their names
 */
export function withOutputs(model: Model, values: Iterable<Value | string>): Model {
  const copy = cloneModel(model);
  const { graph } = copy;
  const byName = new Map<string, Value>();
  for (const v of [...graph.inputs, ...graph.initializers]) byName.set(v.name, v);
  for (const node of graph.nodes) for (const y of node.outputs) if (y) byName.set(y.name, y);
  const unreturnable = subByteValues(graph);
  const names = new Set(Array.from(values, (v) => (typeof v === 'string' ? v : v.name)));
  graph.outputs = [...names]
    .map((name) => byName.get(name))
    .filter((v) => v !== undefined)
    .filter((v) => !unreturnable.has(v));
  const given = new Set([...graph.inputs, ...graph.initializers]);
  for (const v of graph.outputs) if (!given.has(v) && v.type?.kind !== 'opaque') v.type = undefined;
  return copy;
}
