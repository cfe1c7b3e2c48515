/** @file The stages, one line each. `npm run openapi` publishes their options. */

import { quantize } from './quantize.ts';
import { simplify } from './simplify.ts';
import type { Stage } from './stage.ts';

export const STAGES = {
  simplify,
  quantize,
} as const satisfies Record<string, Stage>;
