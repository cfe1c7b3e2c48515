import { expect, test } from 'vitest';

import { countMacs, countParams } from '../../../workers/onnx/cost.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { NO_SHARED_DATA, sharedData } from '../../helpers/shared-data.ts';
import { zooBytes } from '../../helpers/zoo.ts';

/** Text, multiply-accumulates at batch 1, parameters. */
const graphs = {
  Conv: [
    '(float[1,3,8,8] x) => (float[1,4,6,6] y) <float[4,3,3,3] w = W, float[4] b = {1,2,3,4}> { y = Conv(x, w, b) }',
    36 * 4 * 27,
    112,
  ],
  'Conv in groups': [
    '(float[1,4,8,8] x) => (float[1,4,6,6] y) <float[4,1,3,3] w = W> { y = Conv<group=4>(x, w) }',
    36 * 4 * 9,
    36,
  ],
  'Conv at batch 2': [
    '(float[2,3,8,8] x) => (float[2,4,6,6] y) <float[4,3,3,3] w = W> { y = Conv(x, w) }',
    36 * 4 * 27,
    108,
  ],
  ConvTranspose: [
    '(float[1,4,5,5] x) => (float[1,3,10,10] y) <float[4,3,2,2] w = W> { y = ConvTranspose<strides=[2, 2]>(x, w) }',
    25 * 4 * 3 * 4,
    48,
  ],
  Gemm: [
    '(float[1,6] x) => (float[1,4] y) <float[4,6] w = W, float[4] b = {1,2,3,4}> { y = Gemm<transB=1>(x, w, b) }',
    24,
    28,
  ],
  'Gemm, A transposed': [
    '(float[1,6] x) => (float[1,4] y) <float[6,4] w = W> { t = Transpose(x) y = Gemm<transA=1>(t, w) }',
    24,
    24,
  ],
  'MatMul and a bias': [
    '(float[1,5,6] x) => (float[1,5,4] y) <float[6,4] w = W, float[4] b = {1,2,3,4}> { h = MatMul(x, w) y = Add(b, h) }',
    120,
    28,
  ],
  'MatMul of two activations': [
    '(float[1,5,6] x) => (float[1,5,5] y) { t = Transpose<perm=[0, 2, 1]>(x) y = MatMul(x, t) }',
    150,
    0,
  ],
  BatchNormalization: [
    '(float[1,2,3,3] x) => (float[1,2,3,3] y) <float[2] s = {1,2}, float[2] b = {1,2}, float[2] m = {1,2}, float[2] v = {1,2}> { y = BatchNormalization(x, s, b, m, v) }',
    0,
    8,
  ],
  'a weight used twice': [
    '(float[1,3] x) => (float[1,3] y) <float[3,3] w = W> { h = MatMul(x, w) y = MatMul(h, w) }',
    18,
    9,
  ],
  'constants that are no weights': [
    '(float[1,2,3] x) => (float[1,2,3] y) <float[1,2,3] grid = W, int64[3] s = {1,2,3}> { h = Add(x, grid) y = Reshape(h, s) }',
    0,
    0,
  ],
  'a quantized weight': [
    '(float[1,2] x) => (float[1,3] y) <int8[2,3] q = W, float[3] s = {1,1,1}, int8[3] z = {0,0,0}> { w = DequantizeLinear<axis=1>(q, s, z) y = MatMul(x, w) }',
    6,
    6,
  ],
  'shapes computed from constants': [
    '(float[1,12] x) => (float[3,2] y) <float[4,2] w = W, int64[] three = {3}, int64[1] axes = {0}, int64[1] four = {4}> { t = Unsqueeze(three, axes) s = Concat<axis=0>(t, four) m = Reshape(x, s) h = Relu(m) y = MatMul(h, w) }',
    24,
    8,
  ],
} as const;

/** `W` stands for as many ones as the shape before it has elements. */
const ones = (text: string) =>
  text.replace(/\[([\d,]+)\] (\w+) = W/g, (_, dims: string, name: string) => {
    const size = dims.split(',').reduce((n, d) => n * Number(d), 1);
    return `[${dims}] ${name} = {${new Array(size).fill(1)}}`;
  });

test.each(Object.entries(graphs))(
  '%s: multiply-accumulates and parameters',
  async (_, [text, macs, params]) => {
    const model = parseText(ones(text));
    await inferTypes(model);

    expect({ macs: countMacs(model), params: countParams(model) }).toEqual({ macs, params });
  },
);

const zoo = (sharedData()?.zoo() ?? []).filter((m) => m.raw_bytes <= 50e6);
if (zoo.length === 0) console.warn(`skipped: ${NO_SHARED_DATA}`);
const isStatic = (shape: readonly unknown[]) => shape.every((d) => typeof d === 'number');

test.skipIf(zoo.length === 0)(
  'zoo graphs of a fixed input size have the multiply-accumulates of the manifest',
  async () => {
    const found: Record<string, number> = {};
    const wanted: Record<string, number> = {};
    for (const entry of zoo.filter((m) => m.inputs.every((x) => isStatic(x.shape)))) {
      const model = readModel(zooBytes(entry));
      await inferTypes(model);
      wanted[entry.name] = entry.macs;
      found[entry.name] = countMacs(model);
    }

    expect(found).toEqual(wanted);
  },
);

test.skipIf(zoo.length === 0)(
  'parameters are the floats of the manifest without grids and scales',
  () => {
    for (const entry of zoo) {
      const params = countParams(readModel(zooBytes(entry)));

      expect(params, entry.name).toBeLessThanOrEqual(entry.params);
      expect(params / entry.params, entry.name).toBeGreaterThan(0.98);
    }
  },
);
