/** @file Which preprocessing holds: the spec's, else what Lathe recorded in the file, else the task's default. */

import type { Preprocess, PreprocessOption } from '../../src/contract/preprocess.ts';
import type { Model } from '../onnx/graph.ts';
import { recordedPreprocess } from './metadata.ts';
import type { ModelInput } from './model-input.ts';

const UNCHANGED = { mean: [0, 0, 0], std: [1, 1, 1] };
const PLAIN = { ...UNCHANGED, pad: 114 };

export const DEFAULTS = {
  /** YOLOv8 and its kin, and models that nothing is known of. */
  letterbox: { channels: 'rgb', scale: 1 / 255, resize: 'letterbox', ...PLAIN },
  yolox: { channels: 'bgr', scale: 1, resize: 'letterbox-topleft', ...PLAIN },
  imagenet: {
    channels: 'rgb',
    scale: 1 / 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    resize: 'center-crop',
    pad: 114,
  },
  unitCrop: { channels: 'rgb', scale: 1 / 255, resize: 'center-crop', ...PLAIN },
} as const satisfies Record<string, Preprocess>;

/** Inputs of whole numbers take pixel values as they are, unless the file or the spec says otherwise. */
export function resolvePreprocess(
  model: Model,
  input: ModelInput | undefined,
  fallback: Preprocess,
  asked: PreprocessOption | undefined,
): Preprocess {
  const raw = input !== undefined && /int8$/.test(input.dtype) ? { scale: 1, ...UNCHANGED } : {};
  return { ...fallback, ...raw, ...recordedPreprocess(model), ...asked };
}
