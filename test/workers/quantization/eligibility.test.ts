/** @file Which models `quantize` refuses before any work, and in which words. */

import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { quantizedForm, refuseUnquantizable } from '../../../workers/quantization/eligibility.ts';

const quantizedModels = {
  'QDQ: 1 DequantizeLinear':
    '(float[2] X, float S) => (float[2] Y) { Q:uint8[2] = QuantizeLinear(X, S) Y = DequantizeLinear(Q, S) }',
  'dynamic: 1 ops quantize at run time':
    '(float[2,2] X) => (uint8[2,2] Y, float S, uint8 Z) { Y, S, Z = DynamicQuantizeLinear(X) }',
  'QOperator: 1 integer ops':
    '(uint8[1,1,2,2] X, float S, uint8 Z, uint8[1,1,1,1] W) => (uint8[1,1,2,2] Y) { Y = QLinearConv(X, S, Z, W, S, Z, S, Z) }',
};

test.each(Object.entries(quantizedModels))('%s', (form, text) => {
  const model = parseText(text);

  expect(quantizedForm(model.graph)).toBe(form);
  expect(() => refuseUnquantizable(model)).toThrow(
    expect.objectContaining({
      code: 'MODEL_ALREADY_QUANTIZED',
      message: expect.stringContaining(form),
    }),
  );
});

test('float16 weights are refused by name', () => {
  const model = parseText(
    '(float16[1,2] X) => (float16[1,2] Y) <float16[2,2] W = {1, 0.5, 0.25, 2}> { Y = MatMul(X, W) }',
  );

  expect(() => refuseUnquantizable(model)).toThrow(
    expect.objectContaining({
      code: 'MODEL_NOT_FLOAT32',
      message: expect.stringContaining("'W' is float16"),
    }),
  );
});

test('a float model passes', () => {
  expect(() =>
    refuseUnquantizable(parseText('(float[2] X) => (float[2] Y) { Y = Relu(X) }')),
  ).not.toThrow();
});
