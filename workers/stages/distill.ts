/** @file Stage `distill`: train the weights beside a teacher, whose say fades as the student catches up. */

import { Type } from 'typebox';

import { refuseUntrainable } from '../training/trainable.ts';
import { DISTILL_OPTIONS } from './distill-options.ts';
import {
  lengthOf,
  REFIT_OPTION,
  TRAIN_OPTIONS,
  tellWithoutGain,
  trainContext,
  trainingImages,
} from './finetune.ts';
import { expectSameInterface } from './same-interface.ts';
import { defineStage } from './stage.ts';
import { trainTaught } from './teaching.ts';

const options = Type.Object(
  { ...TRAIN_OPTIONS, ...REFIT_OPTION, ...DISTILL_OPTIONS },
  { additionalProperties: false },
);

export const distill = defineStage({
  name: 'distill',
  version: 1,
  summary: 'Train the weights beside a teacher: with labels, without, or with some.',
  options,
  needsImages: {},
  needsBudget: {},
  accuracy: 'wins',

  prepare: (_model, chosen) => void lengthOf(chosen),

  async run(model, chosen, ctx) {
    const images = trainingImages('distill', ctx);
    await refuseUntrainable(model);
    const { trained, details } = await trainTaught(model, chosen, images, ctx, trainContext(ctx));
    tellWithoutGain('Distillation', trained, ctx);
    return { model, details: { ...trained, ...details } };
  },

  ensures: expectSameInterface,
});
