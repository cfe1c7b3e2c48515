/** @file Exact types and shapes of every value, asked of the runtime instead of inferred op by op. */

import type { Dim, Model, Value } from '../onnx/graph.ts';
import { openSession } from './session.ts';
import { withOutputs } from './taps.ts';

/**
 * Fill `type` of every value that nodes make. Every intermediate becomes an untyped graph output of a copy; the
 * runtime's own shape inference then states each when it opens it (about 0.1 s for 230 nodes, nothing is run).
 * Shapes that are computed from constants are known only once the runtime has folded those: where a graph of fixed
 * inputs leaves some open, it is opened again so. Dynamic axes stay symbolic. Values inside subgraphs are left alone.
 *
 * @throws MODEL_CANNOT_RUN the runtime refuses the model
 */
export async function inferTypes(model: Model): Promise<void> {
  const made = new Map<string, Value>();
  for (const node of model.graph.nodes) for (const y of node.outputs) if (y) made.set(y.name, y);
  await fill(model, made, 'disabled');
  const inputs = model.graph.inputs.filter((v) => !v.constant);
  if (inputs.every(isFixed) && ![...made.values()].every(isFixed)) await fill(model, made, 'basic');
  for (const value of model.graph.initializers) {
    if (value.constant)
      value.type = { kind: 'tensor', dtype: value.constant.dtype, shape: value.constant.dims };
  }
}

async function fill(
  model: Model,
  made: ReadonlyMap<string, Value>,
  optimize: 'disabled' | 'basic',
): Promise<void> {
  const session = await openSession(withOutputs(model, made.values()), { optimize });
  for (const { name, dtype, shape } of session.outputs) {
    const value = made.get(name);
    if (value && value.type?.kind !== 'opaque')
      value.type = { kind: 'tensor', dtype, shape: named(shape, value.type?.shape) };
  }
  await session.release();
}

/** Whether every axis has a known size; types that are no tensors have none. */
const isFixed = ({ type }: Value): boolean =>
  type?.kind === 'opaque' || type?.shape?.every((d) => typeof d === 'number') === true;

/** Axes that the runtime says nothing about keep the name that the file gives them. */
function named(found: readonly Dim[], declared: readonly Dim[] | undefined): Dim[] {
  return found.map((d, i) => d ?? (declared?.length === found.length ? declared[i]! : null));
}
