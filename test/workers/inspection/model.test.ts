/** @file What inspection says of a model, and of what can be done with it. */

import { expect, test } from 'vitest';

import { inspectModel, quantizableTensors } from '../../../workers/inspection/model.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { Tensor } from '../../../workers/onnx/tensor.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { endlessBytes } from '../../chaos/hostile.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';

const inspect = (model: Model) => inspectModel(writeModel(model), 'm.onnx');

const conv = (shape: string, metadata: Record<string, string> = {}) =>
  modelOf(
    `<ir_version: 8, opset_import: ["" : 17]>
    g (float[${shape}] images, float[4,3,1,1] w, float[4] b) => (float[1,4,8,8] y) { y = Conv(images, w, b) }`,
    { w: randomWeight([4, 3, 1, 1], 1), b: randomWeight([4], 2) },
    metadata,
  );

test('parameters, multiply-accumulates, ports, ops and weights, by definition', async () => {
  const info = await inspect(conv('1,3,8,8'));

  expect(info).toMatchObject({
    name: 'm.onnx',
    inputs: [{ name: 'images', dtype: 'float32', shape: [1, 3, 8, 8] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [1, 4, 8, 8] }],
    params: 4 * 3 + 4,
    macs: 4 * 3 * 8 * 8,
    ops: { Conv: 1 },
    opset: 17,
    quantized: null,
    quantizable: 1,
    weightTypes: { float32: 16 },
    training: { trainable: true, weights: 2, elements: 16 },
    warnings: [],
  });
});

test('a detector: head, classes and preprocessing', async () => {
  const info = await inspect(yolov8({ classes: 3 }));

  expect(info).toMatchObject({ task: 'detect', inputSize: [64, 64], inputs: [{ name: 'x' }] });
  expect(info.head).toMatch(/3 levels, 3 classes/);
});

test.each(['segment', 'pose', 'obb'])(
  'a %s model runs as generic, and is told so',
  async (task) => {
    const info = await inspect(yolov8({ metadata: { task } }));

    expect(info.task).toBe('generic');
    expect(info.head).toContain(`${task} model (by its metadata): runs as generic`);
  },
);

test('dynamic axes: named, with what fixes them; no multiply-accumulates are invented', async () => {
  const info = await inspect(conv('batch,3,height,width'));

  expect(info.macs).toBeNull();
  expect(info.warnings).toEqual([
    "Input 'images' has dynamic axes (batch, height, width): simplify's option inputShape fixes them.",
  ]);
});

function asFloat16(): Model {
  const model = parseText(`<ir_version: 8, opset_import: ["" : 17]>
    g (float16[1,3,8,8] x, float16[4,3,1,1] w) => (float16[1,4,8,8] y) { y = Conv(x, w) }`);
  const [x, w] = model.graph.inputs;
  const half = new Uint8Array(Uint16Array.from({ length: 12 }, () => 0x3800).buffer);
  w!.constant = new Tensor('float16', [4, 3, 1, 1], half);
  model.graph.inputs = [x!];
  model.graph.initializers = [w!];
  return model;
}

const qdq = () =>
  modelOf(
    `<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,3,8,8] x, float[4,3,1,1] w, float[1] s) => (float[1,4,8,8] y) {
      q = QuantizeLinear(x, s)
      d = DequantizeLinear(q, s)
      y = Conv(d, w)
    }`,
    { w: randomWeight([4, 3, 1, 1], 1), s: { dims: [1], data: [0.1] } },
  );

const limited: Record<string, [() => Model, number, trainable: boolean, warning: RegExp]> = {
  'in half precision': [asFloat16, 0, false, /Weights are float16\. .*quantize needs float32/],
  'quantized already': [qdq, 0, true, /quantized already \(QDQ: 1 DequantizeLinear\)/],
};

test.each(Object.entries(limited))(
  'a model %s: said, with what is possible',
  async (_, [model, quantizable, trainable, warning]) => {
    const info = await inspect(model());

    expect(info.quantizable).toBe(quantizable);
    expect(info.training.trainable).toBe(trainable);
    expect(quantizableTensors(model())).toHaveLength(quantizable);
    expect(info.warnings.join('\n')).toMatch(warning);
    expect(info.warnings.join('\n')).toContain('can be evaluated, benchmarked and simplified');
  },
);

test('a model whose inference never ends is inspected without running it', async () => {
  const info = await inspectModel(endlessBytes());

  expect(info.ops).toMatchObject({ Loop: 1 });
  expect(info.warnings.join()).toContain('control flow');
});
