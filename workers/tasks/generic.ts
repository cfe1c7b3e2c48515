/** @file Task `generic`: any model. Outputs are compared with the original model's; no labels are needed. */

import type { Model } from '../onnx/graph.ts';
import { exportedTaskOf } from './metadata.ts';
import { imageInput } from './model-input.ts';
import { DEFAULTS, resolvePreprocess } from './preprocess.ts';
import type { Task } from './task.ts';

export const generic: Task = {
  bind(model, options) {
    const input = imageInput(model, 640);
    const image = typeof input === 'string' ? undefined : input;
    const notes = [
      ...kindOf(model),
      `${model.graph.outputs.length} outputs compared as they are`,
      typeof input === 'string' ? `no image input: ${input}` : input.note,
    ];
    return {
      task: 'generic',
      description: notes.filter((s) => s !== '').join('; '),
      classes: undefined,
      headline: 'agreement',
      preprocess: resolvePreprocess(model, image, DEFAULTS.letterbox, options.preprocess),
      inputSize: image?.size ?? [0, 0],
      input: image,
      head: undefined,
      notes: [],
    };
  },

  decode: (outputs) => ({ kind: 'tensors', outputs }),
};

/** What the exporter calls the model's task, where Lathe has none of that name yet. */
function kindOf(model: Model): string[] {
  const task = exportedTaskOf(model);
  if (task === undefined || task === 'detect' || task === 'classify') return [];
  return [`a ${task} model (by its metadata): runs as generic until ${task} is a task`];
}
