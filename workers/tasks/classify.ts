/** @file Task `classify`: one score per class, judged by top-1. */

import { findDecodeTail, outputChannels } from '../onnx/decode-tail.ts';
import { type Model, shapeKnown, type Value } from '../onnx/graph.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { exportedTaskOf, namesOf } from './metadata.ts';
import { imageInput, shapeText } from './model-input.ts';
import { DEFAULTS, resolvePreprocess } from './preprocess.ts';
import { classNames, nameNotes, type Task } from './task.ts';

export interface ClassifyHead {
  readonly output: string;
  readonly classes: number;
}

export const classify: Task = {
  bind(model, options) {
    const head = findClassifyHead(model);
    if (typeof head === 'string') return { misfit: head };
    const input = imageInput(model, 224);
    if (typeof input === 'string') return { misfit: input };
    const fallback =
      exportedTaskOf(model) === 'classify' || input.channels === 1
        ? DEFAULTS.unitCrop
        : DEFAULTS.imagenet;
    const notes = [`classifier, ${head.classes} classes`, input.note];
    return {
      task: 'classify',
      description: notes.filter((s) => s !== '').join('; '),
      classes: classNames(head.classes, namesOf(model), options.classes),
      headline: 'top1',
      preprocess: resolvePreprocess(model, input, fallback, options.preprocess),
      inputSize: input.size,
      input,
      head,
      notes: nameNotes(namesOf(model), options.classes),
    };
  },

  decode(outputs, { head }) {
    const { output, classes } = head as ClassifyHead;
    return { kind: 'classes', scores: outputs[output]!.data.slice(0, classes) };
  },
};

/** @returns the head, or in words why the model is no classifier */
function findClassifyHead(model: Model): ClassifyHead | string {
  const { outputs } = model.graph;
  const [output] = outputs;
  if (output === undefined || outputs.length !== 1)
    return `it has ${outputs.length} outputs (${outputs.map((v) => v.name).join(', ')}); a classifier has one`;
  const classes = classCount(output, model);
  if (typeof classes === 'string') return classes;
  return classes < 2
    ? `output '${output.name}' is ${shapeText(output)}; a classifier has at least two classes`
    : { output: output.name, classes };
}

/** Of [N, C] or [N, C, 1, 1]: C, from the declared shape or from the last layer's weight. */
function classCount(output: Value, model: Model): number | string {
  const shape = shapeKnown(output);
  const no = `output '${output.name}' is ${shapeText(output)}; a classifier's is [batch, classes]`;
  if (shape === undefined || shape.length < 2) return no;
  if (shape.length !== 2 && !shape.slice(2).every((d) => d === 1)) return no;
  if (typeof shape[1] === 'number') return shape[1];
  const index = new GraphIndex(model.graph);
  const { layers } = findDecodeTail(model.graph, [output], index);
  const channels = layers.map((layer) => outputChannels(layer, index));
  return channels.length === 1 && channels[0] !== undefined ? channels[0] : no;
}
