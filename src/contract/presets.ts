/** @file Presets: lists of stages under a name, for those who do not want to choose. One entry each. */

export interface Preset {
  readonly summary: string;
  readonly stages: readonly { readonly stage: string; readonly [option: string]: unknown }[];
}

/** Quantized as far as `accept` allows: learned roundings and training only where plain ranges cost too much. */
const int8 = { stage: 'quantize', precision: 'int8', method: 'hybrid' };

export const PRESETS = {
  fast: {
    summary: 'Minutes: simplify, and integers without any training.',
    stages: [{ stage: 'simplify' }, { stage: 'quantize', precision: 'int8' }],
  },
  balanced: {
    summary:
      'Hardly anything lost: 60 % of the multiply-accumulates, won back by distillation, 8 bits.',
    stages: [
      { stage: 'simplify' },
      { stage: 'prune', target: { macs: 0.6 } },
      { stage: 'distill', teacher: 'input', minutes: 10 },
      int8,
    ],
  },
  smallest: {
    summary: 'The smallest file: 30 % of the multiply-accumulates, a longer distillation, 8 bits.',
    stages: [
      { stage: 'simplify' },
      { stage: 'prune', target: { macs: 0.3 } },
      { stage: 'distill', teacher: 'input', minutes: 15 },
      int8,
    ],
  },
  fastest: {
    summary:
      'The least latency: 30 % of the multiply-accumulates in widths that CPUs like, 8 bits.',
    stages: [
      { stage: 'simplify' },
      { stage: 'prune', target: { macs: 0.3 }, multipleOf: 16 },
      { stage: 'distill', teacher: 'input', minutes: 15 },
      int8,
    ],
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;

export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
