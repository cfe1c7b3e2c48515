import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { simplify } from '../../../workers/passes/simplify.ts';

const W = '<float[4,2,1,1] W = {1.5,2,-3,4,5,6.25,7,8}, float[4] B = {1,2,3,4}';
const NORM =
  'float[4] s = {1,2,3,4}, float[4] b = {0.5,1,0,-1}, float[4] m = {1,0,2,3}, float[4] v = {1,2,0.5,4}';
const IMAGE = '(float[1,2,4,4] X) => (float[1,4,4,4] Y)';
const NORM2 = 'float[2] s = {1,2}, float[2] b = {0.5,1}, float[2] m = {1,0}, float[2] v = {1,0.5}';

/** Name → text before, and the ops that are left. */
const cases: Record<string, readonly [string, string]> = {
  'BatchNormalization behind Conv': [
    `${IMAGE} ${W}, ${NORM}> { H = Conv(X, W, B) Y = BatchNormalization(H, s, b, m, v) }`,
    'Conv',
  ],
  'BatchNormalization behind Conv without bias': [
    `${IMAGE} ${W}, ${NORM}> { H = Conv(X, W) Y = BatchNormalization<epsilon=0.1>(H, s, b, m, v) }`,
    'Conv',
  ],
  'BatchNormalization behind grouped ConvTranspose': [
    `(float[1,4,3,3] X) => (float[1,4,3,3] Y) <float[4,2,1,1] W = {1.5,2,-3,4,5,6.25,7,8}, ${NORM}>
     { H = ConvTranspose<group=2>(X, W) Y = BatchNormalization(H, s, b, m, v) }`,
    'ConvTranspose',
  ],
  'BatchNormalization behind Gemm, B transposed': [
    `(float[3,2] X) => (float[3,4] Y) <float[4,2] W = {1.5,2,-3,4,5,6.25,7,8}, ${NORM}>
     { H = Gemm<transB=1>(X, W) Y = BatchNormalization(H, s, b, m, v) }`,
    'Gemm',
  ],
  'BatchNormalization before an unpadded Conv': [
    `${IMAGE} ${W}, ${NORM2}> { H = BatchNormalization(X, s, b, m, v) Y = Conv(H, W, B) }`,
    'Conv',
  ],
  'BatchNormalization before a padded Conv stays: padding would be shifted': [
    `(float[1,2,4,4] X) => (float[1,4,6,6] Y) ${W}, ${NORM2}>
     { H = BatchNormalization(X, s, b, m, v) Y = Conv<pads=[1,1,1,1]>(H, W, B) }`,
    'BatchNormalization Conv',
  ],
  'BatchNormalization whose input is used twice stays': [
    `${IMAGE} ${W}, ${NORM}>
     { H = Conv(X, W) N = BatchNormalization(H, s, b, m, v) Y = Add(H, N) }`,
    'Conv BatchNormalization Add',
  ],
  'BatchNormalization in float16 stays: folded weights would round to more than 1e-5': [
    `(float16[1,2,4,4] X) => (float16[1,4,4,4] Y)
     ${`${W}, ${NORM}`.replaceAll('float[', 'float16[')}>
     { H = Conv(X, W) Y = BatchNormalization(H, s, b, m, v) }`,
    'Conv BatchNormalization',
  ],
  'a factor and a term per channel': [
    `${IMAGE} ${W}, float[1,4,1,1] f = {2.3,3,4.1,5}, float c = {0.5}>
     { H = Conv(X, W) P = Mul(H, f) Y = Sub(c, P) }`,
    'Conv',
  ],
  'a factor per column stays': [
    `${IMAGE} ${W}, float[4] f = {2,3,4,5}> { H = Conv(X, W) Y = Mul(H, f) }`,
    'Conv Mul',
  ],
  'a factor behind handwritten weights stays': [
    `${IMAGE} <float[4,2,1,1] W = {0,1,2,3,4,5,6,7}, float f = {0.5}> { H = Conv(X, W) Y = Mul(H, f) }`,
    'Conv Mul',
  ],
  'what depends on constants only': [
    `(float[2,3] X) => (float[2,3] Y) <float[3] A = {1,2,3}, float[3] B = {4,5,6}>
     { C = Mul(A, B) D = Sqrt(C) Y = Add(X, D) }`,
    'Add',
  ],
  'a known shape': [
    `(float[2,3] X) => (float[6] Y) <int64[1] minus = {-1}>
     { S = Shape(X) P = ReduceProd<keepdims=1>(S) Y = Reshape(X, P) }`,
    'Reshape',
  ],
  'no-ops': [
    `(float[2,3] X) => (float[2,3] Y) <int64[2] shape = {2,3}, float[1] one = {1}, int64[4] none = {0,0,0,0}>
     { A = Identity(X) B = Reshape(A, shape) C = Transpose<perm=[0,1]>(B) D = Cast<to=1>(C)
       E = Mul(D, one) F = Pad(E, none) G = Dropout(F) Y = Relu(G) }`,
    'Relu',
  ],
  'an Identity from input to output stays': [
    '(float[2] X) => (float[2] Y) { Y = Identity(X) }',
    'Identity',
  ],
  'Transposes that undo each other': [
    `(float[2,3,4] X) => (float[2,3,4] Y)
     { A = Transpose<perm=[1,2,0]>(X) B = Transpose<perm=[2,0,1]>(A) Y = Relu(B) }`,
    'Relu',
  ],
  'Transposes in a row': [
    `(float[2,3,4] X) => (float[3,2,4] Y)
     { A = Transpose<perm=[1,2,0]>(X) B = Transpose<perm=[0,2,1]>(A) Y = Relu(B) }`,
    'Transpose Relu',
  ],
  'reshapes in a row': [
    `(float[2,3,4] X) => (float[24] Y) <int64[2] a = {6,4}, int64[1] i = {0}, int64[1] b = {-1}>
     { A = Reshape(X, a) B = Unsqueeze(A, i) Y = Reshape(B, b) }`,
    'Reshape',
  ],
  'a target put together at run time': [
    `(float[N,3,4] X) => (float[N,12] Y) <int64 zero = {0}, int64[1] i = {0}, int64[1] rest = {12}>
     { S = Shape(X) G = Gather(S, zero) U = Unsqueeze(G, i) T = Concat<axis=0>(U, rest) Y = Reshape(X, T) }`,
    'Reshape',
  ],
  'equal nodes': [
    '(float[2] X) => (float[2] Y) { A = Sigmoid(X) B = Sigmoid(X) Y = Mul(A, B) }',
    'Sigmoid Mul',
  ],
  'nodes that differ in an attribute stay': [
    `(float[2,2] X) => (float[2,2] Y)
     { A = Softmax<axis=0>(X) B = Softmax<axis=1>(X) Y = Mul(A, B) }`,
    'Softmax Softmax Mul',
  ],
  'dead code': ['(float[2] X) => (float[2] Y) { A = Exp(X) B = Log(A) Y = Relu(X) }', 'Relu'],
  'random numbers are not folded': [
    '(float[2] X) => (float[2] Y) { R = RandomNormal<shape=[2]>() Z = Mul(R, R) N = Sub(Z, Z) Y = Relu(X) }',
    'Relu',
  ],
  'quantized weights are not folded': [
    `(float[2] X) => (float[2] Y) <int8[2] q = {3,4}, float s = {0.5}, int8 z = {0}>
     { W = DequantizeLinear(q, s, z) Y = Mul(X, W) }`,
    'DequantizeLinear Mul',
  ],
};

test.each(Object.entries(cases))('%s', async (_, [text, ops]) => {
  const result = await simplify(parseText(text));

  expect(result.model.graph.nodes.map((n) => n.op).join(' ')).toBe(ops);
  expect(result.rolledBack).toEqual([]);
  expect(result.bytes.after).toBeLessThanOrEqual(result.bytes.before);
});

test('a wide result is not stored: the file would grow', async () => {
  const wide = parseText(
    `(float[1000,1000] X) => (float[1000,1000] Y) <float[1,1] a = {2.5}, int64[2] size = {1000,1000}>
     { E = Expand(a, size) S = Sqrt(E) Y = Add(X, S) }`,
  );

  const { model, bytes, declined } = await simplify(wide);

  expect(bytes.after).toBeLessThanOrEqual(bytes.before);
  expect(model.graph.nodes.map((n) => n.op)).toContain('Expand');
  expect(declined[0]).toMatchObject({
    pass: 'foldConstants',
    why: expect.stringContaining('bytes'),
  });
});

test('a constant that repeats along a broadcast axis is stored once', async () => {
  const repeated = parseText(
    `(float[2,16] X) => (float[2,16] Y) <float[2,16] c = {${'3,'.repeat(16)}${'4,'.repeat(15)}4}> { Y = Add(X, c) }`,
  );

  const { model } = await simplify(repeated);

  expect(model.graph.initializers[0]!.constant!.dims).toEqual([2, 1]);
});

test('equal constants are stored once, and keep the first name', async () => {
  const twice = parseText(
    `(float[2] X) => (float[2] Y) <float[2] a = {3,4}, float[2] b = {3,4}, float[2] c = {3,5}>
     { A = Mul(X, a) B = Div(A, b) Y = Add(B, c) }`,
  );

  const { model } = await simplify(twice);

  expect(model.graph.initializers.map((v) => v.name)).toEqual(['a', 'c']);
});

test('names of inputs, outputs and surviving tensors, the opset and metadata stay', async () => {
  const model = parseText(
    `${IMAGE} ${W}, ${NORM}> { H = Conv(X, W, B) N = BatchNormalization(H, s, b, m, v) Y = Identity(N) }`,
  );
  model.metadata['names'] = "{0: 'cell'}";

  const { model: after } = await simplify(model);

  expect(after.graph.inputs[0]!.name).toBe('X');
  expect(after.graph.outputs[0]!.name).toBe('Y');
  expect(after.graph.initializers.map((v) => v.name)).toEqual(['W', 'B']);
  expect(after.opsets).toEqual(model.opsets);
  expect(after.metadata).toEqual({ names: "{0: 'cell'}" });
  expect(model.graph.nodes).toHaveLength(3);
});

test('a default that is declared as an input becomes a constant', async () => {
  const model = parseText('(float[2] X) => (float[2] Y) <float[2] a = {3,4}> { Y = Mul(X, a) }');
  model.irVersion = 3;
  model.graph.inputs.push(model.graph.initializers[0]!);

  const { model: after } = await simplify(model);

  expect(after.graph.inputs.map((v) => v.name)).toEqual(['X']);
  expect(after.irVersion).toBe(4);
});
