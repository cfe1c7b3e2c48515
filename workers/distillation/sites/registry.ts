/** @file Sites, one line each: where the signals that read them compare two models. */

import type { Reads } from '../signals/signal.ts';
import { classes } from './classes.ts';
import { boxLogits, decodedBoxes } from './detector.ts';
import { features } from './features.ts';
import { outputs } from './outputs.ts';
import type { Site } from './site.ts';

export const SITES = {
  classes,
  'box-logits': boxLogits,
  boxes: decodedBoxes,
  features,
  outputs,
} as const satisfies Record<Reads, Site>;
