/** @file The passes of `simplify`, in the order in which a round runs them. */

import { constantTargets } from './constant-targets.ts';
import { liftConstants, mergeEqualConstants } from './constants.ts';
import { dropDeadCode } from './dead-code.ts';
import { dropDescriptions } from './descriptions.ts';
import { foldBatchNorm } from './fold-batchnorm.ts';
import { foldConstants } from './fold-constants.ts';
import { foldScale } from './fold-scale.ts';
import { freezeDefaults } from './freeze-defaults.ts';
import { joinReshapes, joinTransposes } from './joins.ts';
import { mergeEqualNodes } from './merge-equal-nodes.ts';
import { dropNoOps } from './no-ops.ts';
import type { Pass } from './pass.ts';
import { shrinkConstants } from './shrink-constants.ts';

export const PASSES = {
  freezeDefaults,
  liftConstants,
  dropDeadCode,
  constantTargets,
  foldConstants,
  dropNoOps,
  joinTransposes,
  joinReshapes,
  foldBatchNorm,
  foldScale,
  mergeEqualNodes,
  mergeEqualConstants,
  shrinkConstants,
  dropDescriptions,
} as const satisfies Record<string, Pass>;
