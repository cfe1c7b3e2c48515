/** @file Weights where training finds them: in initializers, as the ops that use them take them. */

import type { Model } from '../onnx/graph.ts';
import { sortNodes } from '../onnx/topological.ts';
import { liftConstants } from '../passes/constants.ts';
import { dropDeadCode } from '../passes/dead-code.ts';
import { foldConstants } from '../passes/fold-constants.ts';
import { inferTypes } from '../runtime/infer-types.ts';

/**
 * `Constant` nodes become initializers, and what is computed from constants only (a weight that is transposed, cast or reshaped before
 * it is used) is computed: the training graph and the model then name the same weights. In place.
 */
export async function withTrainableConstants(model: Model): Promise<void> {
  const context = { threads: 1, allowance: Number.POSITIVE_INFINITY, decline: () => {} };
  await liftConstants.run(model, context);
  await inferTypes(model);
  if ((await foldConstants.run(model, context)) === 0) return;
  sortNodes(model.graph);
  await dropDeadCode.run(model, context);
}
