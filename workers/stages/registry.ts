/** @file The stages, one line each. `npm run openapi` publishes their options. */

import { distill } from './distill.ts';
import { factorize } from './factorize.ts';
import { finetune } from './finetune.ts';
import { prune } from './prune.ts';
import { quantize } from './quantize.ts';
import { simplify } from './simplify.ts';
import type { Stage } from './stage.ts';

export const STAGES = {
  simplify,
  finetune,
  distill,
  prune,
  factorize,
  quantize,
} as const satisfies Record<string, Stage>;
