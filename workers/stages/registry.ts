import { quantize } from './quantize.ts';
import type { Stage } from './stage.ts';

/** Every stage of compression. One line each; `npm run openapi` publishes their options. */
export const STAGES = {
  quantize,
} as const satisfies Record<string, Stage>;

export type StageName = keyof typeof STAGES;
