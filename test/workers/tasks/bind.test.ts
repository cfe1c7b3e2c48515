import { expect, test } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { bindTask, type TaskName } from '../../../workers/tasks/registry.ts';
import {
  endToEnd,
  transformerHead,
  yolov5,
  yolov8,
  yolov8Joined,
  yolox,
} from '../../helpers/head-models.ts';
import { NO_SHARED_DATA, sharedData } from '../../helpers/shared-data.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { zooBytes } from '../../helpers/zoo.ts';

const names = { names: "{0: 'WBC', 1: 'it\\'s', 2: \"RBC\"}" };

const detectors: Readonly<Record<string, readonly [Model, object]>> = {
  'YOLOv8, boxes and scores apart': [
    yolov8(),
    { family: 'YOLOv8', classes: 3, candidates: 'last' },
  ],
  'YOLOv8, joined per level': [yolov8Joined(), { family: 'YOLOv8', classes: 3, objectness: false }],
  'YOLOv8, as many classes as box channels': [yolov8({ classes: 16 }), { classes: 16 }],
  'YOLOv8, one class': [yolov8({ classes: 1 }), { family: 'YOLOv8', classes: 1 }],
  'YOLOv8, transposed': [yolov8({ transposed: true }), { classes: 3, candidates: 'middle' }],
  'YOLOv8, nothing declared of its shape': [
    yolov8({ shape: 'N, C, A', metadata: names }),
    { classes: 3, candidates: 'last' },
  ],
  'YOLOv8, nothing declared and no names': [yolov8({ shape: 'N, C, A' }), { classes: 3 }],
  YOLOX: [
    yolox(),
    { family: 'YOLOX', classes: 3, objectness: true, boxes: 'grid', candidates: 'middle' },
  ],
  'YOLOX, one class': [yolox({ classes: 1 }), { family: 'YOLOX', classes: 1 }],
  'YOLOX, four classes': [yolox({ classes: 4 }), { family: 'YOLOX', classes: 4 }],
  'YOLOX, decoded': [yolox({ decoded: true }), { family: 'YOLOX', boxes: 'pixels' }],
  YOLOv5: [yolov5(), { family: 'YOLOv5', classes: 3, objectness: true, candidates: 'middle' }],
  'end to end': [endToEnd({ metadata: names }), { kind: 'end-to-end', classes: 3 }],
};

test.each(Object.entries(detectors))('%s is a detector', (_, [model, head]) => {
  const binding = bindTask(model);

  expect(binding).toMatchObject({ task: 'detect', headline: 'map50_95', inputSize: [64, 64] });
  expect(binding.head).toMatchObject({ output: 'y', ...head });
});

const others: Readonly<Record<string, readonly [Model, RegExp]>> = {
  'a transformer': [transformerHead(), /compared as they are/],
  'oriented boxes': [yolov8({ extra: [1] }), /compared as they are/],
  'key points': [yolov8({ extra: [51] }), /compared as they are/],
  'oriented boxes that say so': [
    yolov8({ extra: [1], metadata: { task: 'obb' } }),
    /obb model .* runs as generic until obb is a task/,
  ],
  'segmentation that says so': [
    yolov8({ metadata: { task: 'segment' } }),
    /segment model .* runs as generic/,
  ],
};

test.each(Object.entries(others))('%s runs as generic, and says why', (_, [model, description]) => {
  expect(bindTask(model)).toMatchObject({
    task: 'generic',
    headline: 'agreement',
    description: expect.stringMatching(description),
  });
});

const classifier = (input: string, output: string, metadata = {}) =>
  modelOf(
    `(${input} x, float[7, 3, 3, 3] w, float[7, 5] g) => (${output} y) {
       c = Conv<strides=[8, 8]>(x, w)
       p = GlobalAveragePool(c)
       f = Flatten(p)
       y = MatMul(f, g)
     }`,
    { w: randomWeight([7, 3, 3, 3], 1), g: randomWeight([7, 5], 2) },
    metadata,
  );

test('a classifier has ImageNet preprocessing, unless its metadata says classify', () => {
  const plain = bindTask(classifier('float[1, 3, 32, 48]', 'float[1, 5]'));
  const told = bindTask(classifier('float[1, 3, 32, 48]', 'float[1, 5]', { task: 'classify' }));

  expect(plain).toMatchObject({ task: 'classify', headline: 'top1', inputSize: [32, 48] });
  expect(plain.preprocess).toMatchObject({ resize: 'center-crop', mean: [0.485, 0.456, 0.406] });
  expect(told.preprocess).toMatchObject({ resize: 'center-crop', mean: [0, 0, 0] });
});

test('open axes take the size of the metadata, else of the task, and the classes of the weight', () => {
  const open = 'float[N, 3, H, W]';
  const told = bindTask(classifier(open, 'float[N, K]', { imgsz: '[96, 128]' }));
  const silent = bindTask(classifier(open, 'float[N, K]'));

  expect(told).toMatchObject({ inputSize: [96, 128], head: { classes: 5 } });
  expect(told.description).toContain('96 × 128 (its metadata)');
  expect(silent.inputSize).toEqual([224, 224]);
});

test.each([
  ['the spec', { preprocess: { scale: 2 } }, { 'lathe.preprocess': '{"scale":3}' }, 2],
  ['what Lathe recorded', {}, { 'lathe.preprocess': '{"scale":3,"channels":"bgr"}' }, 3],
  [
    'the default, where the record is damaged',
    {},
    { 'lathe.preprocess': '{"scale":"x"}' },
    1 / 255,
  ],
])('preprocessing comes from %s', (_, options, metadata, scale) => {
  expect(bindTask(yolov8({ metadata }), options).preprocess.scale).toBe(scale);
});

test('YOLOX takes raw bgr at the top left', () => {
  expect(bindTask(yolox()).preprocess).toEqual({
    channels: 'bgr',
    scale: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    resize: 'letterbox-topleft',
    pad: 114,
  });
});

test.each([
  ['the model, where their number fits', names, ['a', 'b', 'c'], ['WBC', "it's", 'RBC']],
  ['the data set, where the model has none', {}, ['a', 'b', 'c'], ['a', 'b', 'c']],
  ['their numbers, where no list fits', { names: "{0: 'x'}" }, ['a'], ['0', '1', '2']],
])('classes are called by %s', (_, metadata, classes, expected) => {
  expect(bindTask(yolov8({ metadata }), { classes }).classes).toEqual(expected);
});

const misfits: readonly (readonly [TaskName, Model, RegExp])[] = [
  [
    'detect',
    classifier('float[1, 3, 32, 32]', 'float[1, 5]'),
    /no detect head: output 'y' is \[1, 5\]/,
  ],
  ['detect', yolov8({ extra: [51] }), /that is no known layout of boxes and scores/],
  ['detect', transformerHead(), /does not come from convolutions/],
  ['classify', yolov8(), /output 'y' is float32\[1, 7, 84\]; a classifier's is \[batch, classes\]/],
];

test.each(misfits)('%s that does not fit is refused in words', (task, model, why) => {
  expect(() => bindTask(model, { task })).toThrow(
    expect.objectContaining({
      code: 'TASK_DOES_NOT_FIT',
      facts: { task, why: expect.stringMatching(why) },
    }),
  );
});

test('any model can be run as generic', () => {
  expect(bindTask(yolov8(), { task: 'generic' })).toMatchObject({ task: 'generic' });
});

test('a model without an image input binds as generic and says so', () => {
  const model = modelOf('(float[2, 3] a, float[2, 3] b) => (float[2, 3] y) { y = Add(a, b) }', {});

  expect(bindTask(model)).toMatchObject({
    task: 'generic',
    input: undefined,
    inputSize: [0, 0],
    description: expect.stringContaining('it has 2 inputs (a, b)'),
  });
});

test('class names that differ between model and data set are pointed out', () => {
  const model = yolov8({ metadata: names });

  expect(bindTask(model, { classes: ['wbc', 'It s', 'RBC'] }).notes).toEqual([]);
  expect(bindTask(model, { classes: ['RBC', "it's", 'WBC'] }).notes).toEqual([
    "Class 0 is 'WBC' in the model and 'RBC' in the data set: labels are compared by number.",
  ]);
});

const zoo = (sharedData()?.zoo() ?? []).filter((entry) => entry.raw_bytes < 50e6);
if (zoo.length === 0) test.skip(`zoo: ${NO_SHARED_DATA}`, () => {});

test.each(zoo.map((entry) => [entry.name, entry] as const))('zoo graph %s', (_, entry) => {
  const { library, cls } = entry['source'] as { library: string; cls: string };
  const other = /-(seg|pose|obb)$/.test(cls);
  const classifies = library !== 'ultralytics' || cls.endsWith('-cls');

  const { task, inputSize } = bindTask(readModel(zooBytes(entry)));

  expect(task).toBe(other ? 'generic' : classifies ? 'classify' : 'detect');
  expect(inputSize).toEqual(entry.inputs[0]!.run_shape.slice(2));
});
