/** @file From a quantized model to its float form and back: the same constants; and what was trained is what is written. */

import { expect, test } from 'vitest';

import { cloneModel } from '../../../../workers/onnx/clone.ts';
import type { Model } from '../../../../workers/onnx/graph.ts';
import { normalize } from '../../../../workers/onnx/normalize.ts';
import { Tensor } from '../../../../workers/onnx/tensor.ts';
import { floatsOf } from '../../../../workers/onnx/values.ts';
import { writeModel } from '../../../../workers/onnx/write.ts';
import { PRECISIONS } from '../../../../workers/quantization/precisions.ts';
import { PROFILES } from '../../../../workers/quantization/profiles.ts';
import { checkExport } from '../../../../workers/quantization/qat/check-export.ts';
import { floatForm } from '../../../../workers/quantization/qat/float-form.ts';
import { rangesOf, rangeValue } from '../../../../workers/quantization/qat/insert-fakes.ts';
import { sitesOf } from '../../../../workers/quantization/qat/sites.ts';
import { writeBack } from '../../../../workers/quantization/qat/write-back.ts';
import type { QuantizeOptions } from '../../../../workers/quantization/settings.ts';
import { inferTypes } from '../../../../workers/runtime/infer-types.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';
import { quantized } from '../quantized.ts';

/** Two Convs that share a weight, one with SiLU behind it, a pooled branch, a matrix product, an output that is rounded. */
const net = (): Model =>
  modelOf(
    `(float[1,4,8,8] X, float[4,4,3,3] W, float[4] A, float[4] B, float[256,5] M) => (float[1,5] Y, float[1,4,8,8] Z) {
      c = Conv<pads=[1,1,1,1]>(X, W, A)
      s = Sigmoid(c)
      t = Mul(c, s)
      p = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(t)
      j = Add(t, p)
      Z = Conv<pads=[1,1,1,1]>(j, W, B)
      f = Flatten(j)
      Y = MatMul(f, M)
    }`,
    {
      W: randomWeight([4, 4, 3, 3], 1),
      A: randomWeight([4], 2),
      B: randomWeight([4], 3),
      M: randomWeight([256, 5], 4),
    },
  );

async function made(options: Partial<QuantizeOptions>) {
  const float = net();
  normalize(float, PRECISIONS[options.precision ?? 'int8'].opset);
  await inferTypes(float);
  const { model } = await quantized(float, options);
  const sites = sitesOf(model, {
    shares: PROFILES[options.profile ?? 'onnxruntime-cpu'].shares,
    reduceRange: options.reduceRange === true,
  });
  return { float, model, sites, form: floatForm(float, sites.weights) };
}

async function* images(model: Model, count = 2) {
  for (let i = 0; i < count; i++) yield randomInputs(model, i);
}

const RUN = { threads: 1, provider: 'cpu', signal: new AbortController().signal };

const KINDS: Record<string, Partial<QuantizeOptions>> = {
  'onnxruntime-cpu': {},
  'learned rounding': { rounding: 'adaround' },
  '7-bit weights': { reduceRange: true },
  generic: { profile: 'generic' },
  tensorrt: { profile: 'tensorrt' },
  'tflite-like, shared scales': { profile: 'tflite-like' },
  'int16-full, biases in float': { precision: 'int16-full', profile: 'generic' },
};

test.each(Object.entries(KINDS))(
  '%s: untrained, every constant comes back as it was; moved, the file computes what was trained',
  async (_, options) => {
    const { float, model, sites, form } = await made(options);
    const before = Buffer.from(writeModel(model));
    writeBack(model, form, sites, rangesOf(sites));
    expect(Buffer.from(writeModel(model)).equals(before)).toBe(true);

    const ranges = rangesOf(sites);
    const { graph } = form.model;
    graph.initializers.push(...ranges.map(rangeValue));
    for (const v of graph.initializers) {
      if (v.constant?.dtype !== 'float32') continue;
      const moved = floatsOf(v.constant).map((x, i) => x * 1.02 + 0.003 * Math.sin(i));
      v.constant = Tensor.float32(v.constant.dims, moved);
    }
    writeBack(model, form, sites, ranges);
    expect(Buffer.from(writeModel(model)).equals(before)).toBe(false);
    const check = await checkExport(model, form, sites, images(float), RUN);
    expect(check).toMatchObject({ images: 2, tensors: sites.activations.length });
    expect(check.steps).toBeLessThan(0.01);
    for (const tie of new Set(sites.activations.map((s) => s.tie))) {
      const scales = sites.activations
        .filter((s) => s.tie === tie)
        .map((s) => floatsOf(s.scale.constant!)[0]);
      expect(new Set(scales).size).toBe(1);
    }
  },
);

test('a file that computes something else is refused', async () => {
  const { float, model, sites, form } = await made({});
  const wrong = cloneModel(model);
  const codes = wrong.graph.initializers.find((v) => v.name === sites.weights[0]!.codes.name)!;
  const { dtype, dims, bytes } = codes.constant!;
  codes.constant = new Tensor(dtype, dims, bytes.toReversed());
  const strange = sitesOf(wrong, { shares: [], reduceRange: false });
  const names = floatForm(float, sites.weights).names;
  const mixed = {
    model: form.model,
    names: new Map(strange.weights.map((site, i) => [site, names.get(sites.weights[i]!)!])),
  };
  await expect(checkExport(wrong, mixed, strange, images(float), RUN)).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringMatching(/'\w+' differs by \d+\.\d steps/),
  });
});
