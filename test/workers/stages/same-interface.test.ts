import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { expectSameInterface } from '../../../workers/stages/same-interface.ts';

const BEFORE = '(float[N,4] X) => (float[N,M] Y) { Y = Relu(X) }';

test.each([
  ['itself', BEFORE],
  ['other nodes', '(float[N,4] X) => (float[N,M] Y) { Y = Sigmoid(X) }'],
  ['an output axis that is known now', '(float[N,4] X) => (float[N,4] Y) { Y = Relu(X) }'],
])('%s is the same interface', (_, after) => {
  expect(() => expectSameInterface(parseText(BEFORE), parseText(after))).not.toThrow();
});

test.each([
  ['an input axis that is fixed', '(float[1,4] X) => (float[N,M] Y) { Y = Relu(X) }'],
  ['another input', '(float[N,4] Z) => (float[N,M] Y) { Y = Relu(Z) }'],
  ['another output', '(float[N,4] X) => (float[N,M] Z) { Z = Relu(X) }'],
  ['another type', '(float[N,4] X) => (float16[N,M] Y) { Y = Cast<to=10>(X) }'],
  ['another rank', '(float[N,4] X) => (float[N] Y) { Y = ReduceSum<keepdims=0>(X) }'],
  [
    'one output more',
    '(float[N,4] X) => (float[N,M] Y, float[N,4] Z) { Y = Relu(X)\n Z = Relu(X) }',
  ],
])('%s is not', (_, after) => {
  expect(() => expectSameInterface(parseText(BEFORE), parseText(after))).toThrow(
    expect.objectContaining({ code: 'INTERNAL' }),
  );
});

test('a size that the file states must stay', () => {
  const fixed = '(float[1,4] X) => (float[1,4] Y) { Y = Relu(X) }';

  expect(() => expectSameInterface(parseText(fixed), parseText(BEFORE))).toThrow();
});
