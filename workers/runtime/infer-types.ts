/** @file Exact types and shapes of every value, asked of the runtime instead of inferred op by op. */

import type { Model, Value } from '../onnx/graph.ts';
import { openSession } from './session.ts';
import { withOutputs } from './taps.ts';

/**
 * Fill `type` of every value that nodes make. Every intermediate becomes an untyped graph output of a copy; the
 * runtime's own shape inference then states each when it opens it (about 0.1 s for 230 nodes, nothing is run).
 * Dynamic axes stay symbolic. Values inside subgraphs are left alone.
 *
 * @throws MODEL_CANNOT_RUN the runtime refuses the model
 */
export async function inferTypes(model: Model): Promise<void> {
  const made = new Map<string, Value>();
  for (const node of model.graph.nodes) for (const y of node.outputs) if (y) made.set(y.name, y);
  const session = await openSession(withOutputs(model, made.values()), { optimize: 'disabled' });
  for (const { name, dtype, shape } of session.outputs) {
    const value = made.get(name);
    if (value && value.type?.kind !== 'opaque') value.type = { kind: 'tensor', dtype, shape };
  }
  await session.release();
  for (const value of model.graph.initializers) {
    if (value.constant)
      value.type = { kind: 'tensor', dtype: value.constant.dtype, shape: value.constant.dims };
  }
}
