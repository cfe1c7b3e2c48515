/** @file The form of a model whose channels can be followed: constants stored, sizes known, the file's own opset. */

import { cloneModel } from '../../onnx/clone.ts';
import type { Model } from '../../onnx/graph.ts';
import { sortNodes } from '../../onnx/topological.ts';
import { liftConstants } from '../../passes/constants.ts';
import { dropDeadCode } from '../../passes/dead-code.ts';
import { foldConstants } from '../../passes/fold-constants.ts';
import { freezeDefaults } from '../../passes/freeze-defaults.ts';
import { inferTypes } from '../../runtime/infer-types.ts';

/** Sizes computed from sizes are known after one round; tables made of them after another. */
const MOST_ROUNDS = 4;

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
  await inferTypes(copy);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if ((await foldConstants.run(copy, context)) === 0) break;
    sortNodes(copy.graph);
    await inferTypes(copy);
  }
  await dropDeadCode.run(copy, context);
  return copy;
}
