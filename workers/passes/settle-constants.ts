/** @file Everything that is known before a model runs, computed and stored; every value typed. */

import type { Model } from '../onnx/graph.ts';
import { sortNodes } from '../onnx/topological.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { dropDeadCode } from './dead-code.ts';
import { foldConstants } from './fold-constants.ts';
import type { PassContext } from './pass.ts';

/** Sizes computed from sizes are known after one round; tables made of them after another. */
const MOST_ROUNDS = 4;

/**
 * Fold what depends on constants and sizes only until nothing more is known, and drop what that leaves unused. In place.
 *
 * @throws MODEL_CANNOT_RUN
 */
export async function settleConstants(model: Model, context: PassContext): Promise<void> {
  await inferTypes(model);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if ((await foldConstants.run(model, context)) === 0) break;
    sortNodes(model.graph);
    await inferTypes(model);
  }
  await dropDeadCode.run(model, context);
}
