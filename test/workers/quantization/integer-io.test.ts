/** @file Integer inputs and outputs: what they stand for is recorded, and seen from outside nothing has changed. */

import { expect, test } from 'vitest';

import { checkModel } from '../../../workers/onnx/check.ts';
import { floatFace, integerPorts } from '../../../workers/onnx/float-face.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { sqnr } from '../../../workers/quantization/sqnr.ts';
import { openFloatSession } from '../../../workers/runtime/float-session.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { modelOf, randomWeight } from '../../helpers/tiny-model.ts';
import { quantized } from './quantized.ts';

const net = modelOf(
  '(float[1,3,8,8] X, float[4,3,3,3] W, float[2,4,1,1] V) => (float[1,2,6,6] Y) { H = Conv(X, W) R = Relu(H) Y = Conv(R, V) }',
  { W: randomWeight([4, 3, 3, 3], 1), V: randomWeight([2, 4, 1, 1], 2) },
);

const portTypes = ({ graph }: Model) =>
  [...graph.inputs, ...graph.outputs].map((v) => v.type?.kind === 'tensor' && v.type.dtype);

test.each(['onnxruntime-cpu', 'generic', 'tflite-like'] as const)(
  '%s: uint8 or int8 ports, and the float face answers as the file with float ports',
  async (profile) => {
    const float = await quantized(net, { profile });
    const integer = await quantized(net, { profile, io: 'quantized' });
    const input = randomInputs(net, 7);

    const [a, b] = [await openSession(float.model), await openFloatSession(integer.model)];
    const [wanted, found] = [await a.run(input), await b.run(input)];

    checkModel(floatFace(integer.model));
    expect(portTypes(integer.model)).toEqual(
      profile === 'tflite-like' ? ['int8', 'int8'] : ['uint8', 'uint8'],
    );
    expect(Object.keys(integerPorts(integer.model))).toEqual(['X', 'Y']);
    expect(integer.details.io?.map((p) => p.name)).toEqual(['X', 'Y']);
    expect(
      sqnr(wanted['Y']!.data as Float32Array, found['Y']!.data as Float32Array),
    ).toBeGreaterThan(35);
  },
);

test('a task is bound to the float face: images are prepared as for the float model', async () => {
  const { model } = await quantized(net, { io: 'quantized' });

  expect(bindTask(model).input?.dtype).toBe('float32');
});

test('an input that float nodes read, and an output that joins two makers, stay float and are told', async () => {
  const joined = modelOf(
    `(float[1,3,8,8] X, float[3,3,1,1] W, float[2,3,1,1] V) => (float[1,5,8,8] Y) {
       H = Conv(X, W) S = Add(H, X) P = Conv(S, V) G = Sigmoid(P) M = MaxPool<kernel_shape=[1,1]>(S) Y = Concat<axis=1>(G, M) }`,
    { W: randomWeight([3, 3, 1, 1], 1), V: randomWeight([2, 3, 1, 1], 2) },
  );

  const { model, details } = await quantized(joined, { io: 'quantized' });

  expect(portTypes(model)).toEqual(['float32', 'float32']);
  expect(details.warnings).toEqual([
    expect.stringContaining("'X' stays float32"),
    expect.stringContaining("'Y' stays float32"),
  ]);
  expect(floatFace(model)).toBe(model);
});
