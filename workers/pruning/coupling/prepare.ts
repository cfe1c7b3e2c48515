/** @file The form of a model whose channels can be followed: constants stored, sizes known, the file's own opset. */

import { cloneModel } from '../../onnx/clone.ts';
import type { Model } from '../../onnx/graph.ts';
import { liftConstants } from '../../passes/constants.ts';
import { freezeDefaults } from '../../passes/freeze-defaults.ts';
import { settleConstants } from '../../passes/settle-constants.ts';

/**
 * A copy that computes the same: `Constant` nodes become initializers and what depends on constants and sizes only is
 * computed. Opset, names and metadata stay.
 *
 * @throws MODEL_CANNOT_RUN
 */
export async function prepareForPruning(model: Model): Promise<Model> {
  const copy = cloneModel(model);
  const context = { threads: 1, allowance: 0, decline: () => {} };
  freezeDefaults.run(copy, context);
  await liftConstants.run(copy, context);
  await settleConstants(copy, context);
  ownConstants(copy);
  return copy;
}

/**
 * Exporters store equal tensors once and name them again by Identity. Layers that share nothing but their first values are cut apart, so
 * each gets the constant under its own name; bytes in memory stay shared.
 */
function ownConstants({ graph }: Model): void {
  const outputs = new Set(graph.outputs);
  graph.nodes = graph.nodes.filter(({ op, domain, inputs, outputs: [y] }) => {
    const constant = op === 'Identity' && domain === '' ? inputs[0]?.constant : undefined;
    if (!constant || !y || outputs.has(y)) return true;
    y.constant = constant;
    y.type = { kind: 'tensor', dtype: constant.dtype, shape: constant.dims };
    graph.initializers.push(y);
    return false;
  });
}
