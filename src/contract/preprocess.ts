/** @file How an image becomes a model input: part of the job spec, the report and the output's metadata. */

import { type Static, Type } from 'typebox';

const Triple = Type.Array(Type.Number(), { minItems: 1, maxItems: 4 });

/** x = (resize(image)[channels] · scale − mean) / std, NCHW float32. */
export const Preprocess = Type.Object(
  {
    channels: Type.Enum(['rgb', 'bgr'], { description: 'Channel order of the input.' }),
    scale: Type.Number({ description: 'Factor on the 0…255 pixel values, before mean and std.' }),
    mean: { ...Triple, description: 'Subtracted per channel, after scale.' },
    std: Type.Array(Type.Number({ exclusiveMinimum: 0 }), {
      minItems: 1,
      maxItems: 4,
      description: 'Divided by per channel, after mean.',
    }),
    resize: Type.Enum(['letterbox', 'letterbox-topleft', 'stretch', 'center-crop'], {
      description: 'How an image meets the input size.',
    }),
    pad: Type.Number({
      minimum: 0,
      maximum: 255,
      description: 'Pixel value of letterbox borders.',
    }),
  },
  { additionalProperties: false },
);
export type Preprocess = Static<typeof Preprocess>;

/** What a spec may say: any part of it; the rest comes from metadata or the task. */
export const PreprocessOption = Type.Partial(Preprocess, { additionalProperties: false });
export type PreprocessOption = Static<typeof PreprocessOption>;
