/** @file The form of a model that gradients are written for: constants stored, one form per op, every size known. */

import { cloneModel } from '../onnx/clone.ts';
import { type Model, shapeKnown } from '../onnx/graph.ts';
import { normalize } from '../onnx/normalize.ts';
import { liftConstants } from '../passes/constants.ts';
import { freezeDefaults } from '../passes/freeze-defaults.ts';
import { settleConstants } from '../passes/settle-constants.ts';
import { closed, type OpenSizes } from '../runtime/random-inputs.ts';

/**
 * A copy that computes the same: `Constant` nodes and defaults are initializers, ops have the forms of one opset, open axes
 * are fixed, what depends on constants and sizes only is computed, and every value has a type. The model itself never runs.
 *
 * @param open sizes of open axes; default 1 image of 224 × 224
 * @throws MODEL_CANNOT_RUN · MODEL_INVALID · OPSET_UNSUPPORTED
 */
export async function canonical(model: Model, open?: OpenSizes): Promise<Model> {
  const copy = cloneModel(model);
  const context = { threads: 1, allowance: Number.POSITIVE_INFINITY, decline: () => {} };
  freezeDefaults.run(copy, context);
  fixAxes(copy, open);
  await liftConstants.run(copy, context);
  normalize(copy);
  await settleConstants(copy, context);
  return copy;
}

function fixAxes({ graph }: Model, open: OpenSizes | undefined): void {
  for (const value of graph.inputs) {
    const shape = shapeKnown(value);
    if (value.type?.kind === 'tensor' && shape)
      value.type = { ...value.type, shape: closed(shape, open) };
  }
}
