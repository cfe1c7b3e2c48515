/** @file Task `detect`: boxes with classes, judged by COCO's mAP. */

import { type Geometry, toImage } from '../../data/geometry.ts';
import type { Model } from '../../onnx/graph.ts';
import { exportedTaskOf, namesOf } from '../metadata.ts';
import { imageInput } from '../model-input.ts';
import { DEFAULTS, resolvePreprocess } from '../preprocess.ts';
import {
  type BindOptions,
  classNames,
  type Detection,
  nameNotes,
  type Plane,
  type Task,
  type TaskBinding,
} from '../task.ts';
import { chosenBoxes, denseCandidates } from './candidates.ts';
import { type DetectHead, findDetectHead } from './head.ts';
import { nms } from './nms.ts';

/** The protocol of COCO evaluation of YOLO models: everything above 0.001, suppression at IoU 0.7, 300 boxes. */
const CONFIDENCE = 0.001;
const IOU = 0.7;
const MOST_BOXES = 300;

/** Exporters' names of tasks whose outputs look like boxes and carry more. */
const OTHER_TASKS: Readonly<Record<string, string>> = {
  segment: 'instance segmentation',
  pose: 'pose estimation',
  obb: 'oriented boxes',
};

export const detect: Task = {
  bind(model, options) {
    const other = OTHER_TASKS[exportedTaskOf(model) ?? ''];
    if (other !== undefined)
      return { misfit: `its metadata says ${other}, which runs as generic until it is a task` };
    const head = findDetectHead(model);
    if (typeof head === 'string') return { misfit: head };
    const input = imageInput(model, 640);
    if (typeof input === 'string') return { misfit: input };
    return {
      task: 'detect',
      description: [describe(head), input.note].filter((s) => s !== '').join('; '),
      classes: classesOf(model, head, options),
      headline: 'map50_95',
      preprocess: resolvePreprocess(model, input, defaultPreprocess(head), options.preprocess),
      inputSize: input.size,
      input,
      head,
      notes: nameNotes(namesOf(model), options.classes),
    };
  },

  decode(outputs, binding, geometry) {
    const head = headOf(binding);
    return { kind: 'boxes', boxes: detections(outputs, head, binding.inputSize, geometry) };
  },
};

export const headOf = (binding: TaskBinding): DetectHead => binding.head as DetectHead;

function detections(
  outputs: Readonly<Record<string, Plane>>,
  head: DetectHead,
  input: readonly [number, number],
  geometry: Geometry,
): Detection[] {
  const plane = outputs[head.output]!;
  const dense = head.kind === 'dense';
  const found = dense
    ? denseCandidates(plane, head, input, CONFIDENCE)
    : chosenBoxes(plane, CONFIDENCE);
  const kept = dense ? nms(found, IOU, MOST_BOXES) : [...found.scores.keys()].slice(0, MOST_BOXES);
  return kept.map((i) => {
    const [a, b, c, d] = found.boxes.subarray(4 * i, 4 * i + 4);
    const [x1, y1, x2, y2] = toImage(geometry, [a!, b!, c!, d!]);
    const score = found.scores[i]!;
    return { class: found.classes[i]!, score, x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  });
}

function classesOf(
  model: Model,
  head: DetectHead,
  { classes }: BindOptions,
): readonly string[] | undefined {
  const names = namesOf(model);
  return head.classes === undefined ? (names ?? classes) : classNames(head.classes, names, classes);
}

const defaultPreprocess = (head: DetectHead) =>
  head.kind === 'dense' && head.family === 'YOLOX' ? DEFAULTS.yolox : DEFAULTS.letterbox;

function describe(head: DetectHead): string {
  if (head.kind === 'end-to-end')
    return `end-to-end detector: chosen boxes${head.classes === undefined ? '' : `, ${head.classes} classes`}`;
  const { family, levels, classes, candidates } = head;
  const layout = candidates === 'last' ? '' : ', candidates on the middle axis';
  const grid = head.boxes === 'grid' ? ', boxes relative to the grid' : '';
  return `${family} head, ${levels} levels, ${classes} ${classes === 1 ? 'class' : 'classes'}${layout}${grid}`;
}
