/** @file Which models can be trained, and what is said of the others. */

import { expect, test } from 'vitest';

import type { Model } from '../../../workers/onnx/graph.ts';
import { parseText } from '../../../workers/onnx/parse-text.ts';
import { printText } from '../../../workers/onnx/print-text.ts';
import { Tensor } from '../../../workers/onnx/tensor.ts';
import { refuseUntrainable, trainability } from '../../../workers/training/trainable.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { modelOf, randomWeight, type Weight } from '../../helpers/tiny-model.ts';

const WEIGHTS: Readonly<Record<string, Weight>> = {
  w: randomWeight([4, 3, 1, 1], 1),
  b: randomWeight([4], 2),
  v: randomWeight([2, 4, 1, 1], 3),
  bins: { dims: [4, 3, 1, 1], data: Array.from({ length: 12 }, (_, i) => i) },
  v3: randomWeight([3, 3, 1, 1], 4),
  s: { dims: [], data: [0.1] },
};

/** With open batch and sides. */
function open(model: Model): Model {
  const [x] = model.graph.inputs;
  x!.type = { kind: 'tensor', dtype: 'float32', shape: ['n', 3, 'h', 'k'] };
  return model;
}

function quantized(): Model {
  const model = parseText(`<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,3,8,8] x, float s, int8[4,3,1,1] w, int8[2,4,1,1] v) => (float[1,2,8,8] y) {
      a = DequantizeLinear(w, s)
      b = Conv(x, a)
      c = DequantizeLinear(v, s)
      y = Conv(b, c)
    }`);
  const [x, scale, ...weights] = model.graph.inputs;
  scale!.constant = Tensor.float32([], [0.1]);
  for (const [i, w] of weights.entries()) {
    const dims = [
      [4, 3, 1, 1],
      [2, 4, 1, 1],
    ][i]!;
    w.constant = new Tensor(
      'int8',
      dims,
      Uint8Array.from({ length: dims[0]! * dims[1]! }, (_, k) => k),
    );
  }
  model.graph.inputs = [x!];
  model.graph.initializers = [scale!, ...weights];
  return model;
}

/** A graph over an image x [1, 3, 8, 8] with those of the weights that its text names. */
function over(body: string, output = 'float[1,4,8,8] y', opset = 17): Model {
  const named = Object.entries(WEIGHTS).filter(([name]) => new RegExp(`\\b${name}\\b`).test(body));
  const inputs = named.map(([name, { dims }]) => `float[${dims}] ${name}`);
  return modelOf(
    `<ir_version: 8, opset_import: ["" : ${opset}, "com.microsoft" : 1]>
    g (${['float[1,3,8,8] x', ...inputs].join(', ')}) => (${output}) { ${body} }`,
    Object.fromEntries(named),
  );
}

const y2 = 'float[1,2,8,8] y';

test.each<[string, Model, weights: number, elements: number]>([
  ['weight and bias', over('y = Conv(x, w, b)'), 2, 12 + 4],
  ['an older opset', over('y = Conv(x, w, b)', undefined, 9), 2, 12 + 4],
  ['one weight behind a step', over('a = Conv(x, w) r = Round(a) y = Conv(r, v)', y2), 1, 8],
  ['open axes', open(over('a = Conv(x, w) y = Conv(a, v)', 'float[n,2,h,k] y')), 2, 12 + 8],
  [
    'an op without a rule after the last weights',
    over('a = Conv(x, w) k = Shape(a) y = CenterCropPad(a, k)', undefined, 18),
    1,
    12,
  ],
  ['a detector', yolov8({ classes: 3 }), 6, 3 * (16 + 3) * 3],
])('can be trained: %s', async (_, model, weights, elements) => {
  expect(await trainability(model)).toEqual({ trainable: true, weights, elements });
  await expect(refuseUntrainable(model)).resolves.toBeUndefined();
});

/** Each node that stands in the way, as `op: why`. */
test.each<[string, Model, why: RegExp, nodes: string[]]>([
  [
    'a table of whole numbers',
    over('a = Conv(x, bins) y = Mul(a, s)'),
    /no trained float32 weights/,
    [],
  ],
  [
    'an op without a rule',
    over('a = Conv(x, w) k = Shape(a) d = CenterCropPad(a, k) y = Conv(d, v)', y2, 18),
    /a node stands between its weights and its loss: CenterCropPad 'CenterCropPad_2' \(it has no gradient rule\)/,
    ['CenterCropPad: it has no gradient rule'],
  ],
  [
    'two ops without a rule',
    over(
      'a = Conv(x, w) k = Shape(a) d = CenterCropPad(a, k) e = CenterCropPad(d, k) y = Conv(e, v)',
      y2,
      18,
    ),
    /2 nodes stand .*'CenterCropPad_2'.*'CenterCropPad_3'/,
    ['CenterCropPad: it has no gradient rule', 'CenterCropPad: it has no gradient rule'],
  ],
  [
    'a branch over what weights made',
    over(
      `a = Conv(x, w) m = ReduceMax<keepdims = 0>(a) c = Greater(m, s)
      d = If<then_branch: graph = t () => (float[1,4,8,8] p) { p = Relu(a) }, else_branch: graph = f () => (float[1,4,8,8] q) { q = Neg(a) }>(c)
      y = Conv(d, v)`,
      y2,
    ),
    /If .*known only at run time/,
    ['If: which branch runs is known only at run time'],
  ],
  [
    'steps only',
    over('a = Conv(x, v3) r = Round(a) y = Conv(r, bins)'),
    /no gradient of an output reaches any of its weights/,
    [],
  ],
  [
    'int8 weights',
    quantized(),
    /2 weights are not float32 \(Conv .*its weight is int8/,
    ['Conv: its weight is int8', 'Conv: its weight is int8'],
  ],
  [
    'no image',
    modelOf(
      `<ir_version: 8, opset_import: ["" : 17]> g (float[5,3] x, float[3,4] w) => (float[5,4] y) { y = MatMul(x, w) }`,
      { w: randomWeight([3, 4], 1) },
    ),
    /takes no image/,
    [],
  ],
])('cannot be trained: %s', async (_, model, why, nodes) => {
  const found = await trainability(model);

  expect(found).toMatchObject({ trainable: false, why: expect.stringMatching(why) });
  expect('nodes' in found && found.nodes.map((n) => `${n.op}: ${n.why}`)).toEqual(nodes);
  await expect(refuseUntrainable(model)).rejects.toMatchObject({
    code: 'MODEL_NOT_TRAINABLE',
    message: expect.stringMatching(why),
  });
});

test('the model stays as it is', async () => {
  const model = over('y = Conv(x, w, b)', undefined, 9);
  const before = printText(model);

  await trainability(model);

  expect(printText(model)).toBe(before);
});
