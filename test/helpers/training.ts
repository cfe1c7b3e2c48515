/** @file Settings and surroundings of a training run in tests. */

import type { TrainSettings } from '../../workers/training/settings.ts';

/** AdamW on images as they are, nothing averaged, no decay. */
export const PLAIN_TRAINING: TrainSettings = {
  length: { steps: 6 },
  lr: 0.01,
  optimizer: 'adamw',
  schedule: 'cosine',
  warmUp: 0.1,
  batch: 4,
  decay: 0,
  clip: 10,
  ema: false,
  freeze: [],
  augment: false,
  loss: 'auto',
  labelSmoothing: 0.1,
  batchStatistics: false,
  patience: 0,
};

/** One thread of the CPU, nothing kept, nobody who cancels or listens. */
export const quietRun = () => ({
  seed: 3,
  threads: 1,
  provider: 'cpu',
  signal: new AbortController().signal,
  kept: undefined,
  progress: () => {},
  warn: () => {},
  info: () => {},
});
