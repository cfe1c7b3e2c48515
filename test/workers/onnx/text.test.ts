import { expect, test } from 'vitest';

import { parseText, printText } from '../../../workers/onnx/text.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';

test('what is written by hand is printed whole', () => {
  const model = parseText(`(float[2,4] A, float[N] B) => (Y) {
    H:[2,3] = Gemm<transA=1, alpha=0.5>(A, B)
    I:int64[2], "" = com.acme.Split<names=["a"], axes: ints = []>(H, "")
    Y = Relu(I)
  }`);

  expect(printText(model)).toBe(`<ir_version: 10, opset_import: ["": 21]>
(float[2, 4] A, float[N] B) => (Y) {
  H:[2, 3] = Gemm<transA = 1, alpha = 0.5>(A, B)
  I:int64[2], "" = com.acme.Split<names = ["a"], axes: ints = []>(H, "")
  Y = Relu(I)
}
`);
});

test('names, operators, constants and opsets become what the graph holds', () => {
  const { opsets, irVersion, metadata, graph } = parseText(`
    <ir_version: 8, opset_import: ["": 17, "com.microsoft": 1], metadata_props: ["task": "detect"]>
    net (float[1] x) => (float[1] "out/0") <float[2] w = {1, -0.5}> {
      ["the node"] "out/0" = com.microsoft.Gelu(x)
    }`);

  expect({ opsets, irVersion, metadata }).toEqual({
    opsets: { '': 17, 'com.microsoft': 1 },
    irVersion: 8,
    metadata: { task: 'detect' },
  });
  expect(graph.name).toBe('net');
  expect(graph.nodes[0]).toMatchObject({ name: 'the node', op: 'Gelu', domain: 'com.microsoft' });
  expect(graph.nodes[0]!.outputs[0]).toBe(graph.outputs[0]);
  expect(numbersOf(graph.initializers[0]!.constant!)).toEqual([1, -0.5]);
});

test('nodes without a name are called by op and place', () => {
  const { graph } = parseText('(float[1] x) => (y) { h = Relu(x) y = Tanh(h) }');

  expect(graph.nodes.map((n) => n.name)).toEqual(['Relu_0', 'Tanh_1']);
});

test('a value that is used twice is one object', () => {
  const { graph } = parseText('(float[1] x) => (y) { s = Sigmoid(x) y = Mul(x, s) }');

  expect(graph.nodes[1]!.inputs[0]).toBe(graph.inputs[0]);
  expect(graph.nodes[0]!.outputs[0]).toBe(graph.nodes[1]!.inputs[1]);
});

test.each([
  'float16[3] w = {0.5, -2, inf}',
  'bfloat16[2] w = {1.5, -0.25}',
  'double[2] w = {0.1, 1e-300}',
  'float[3] w = {-0, nan, -inf}',
  'int64[2] w = {9223372036854775807, -9223372036854775808}',
  'uint64[1] w = {18446744073709551615}',
  'bool[2] w = {1, 0}',
  'int4[3] w = {"2103"}',
  'float8e4m3fn[2] w = {"387e"}',
  'string[2] w = {"a b", "ü\\n"}',
  'float[] w = {3}',
  'float[0] w = {}',
])('constant %s reads and prints back', (constant) => {
  const text = printText(parseText(`(float[1] x) => (y) <${constant}> { y = Foo(x, w) }`));

  expect(text).toContain(constant);
  expect(printText(parseText(text))).toBe(text);
});

test.each([
  ['Foo<a = 1>', { type: 'int', value: 1 }],
  ['Foo<a = 9223372036854775807>', { type: 'int', value: 9223372036854775807n }],
  ['Foo<a = 1.0>', { type: 'float', value: 1 }],
  ['Foo<a = -inf>', { type: 'float', value: Number.NEGATIVE_INFINITY }],
  ['Foo<a = "s">', { type: 'string', value: 's' }],
  ['Foo<a = [1, 2]>', { type: 'ints', value: [1, 2] }],
  ['Foo<a = [1.5, 2.0]>', { type: 'floats', value: [1.5, 2] }],
  ['Foo<a: floats = []>', { type: 'floats', value: [] }],
  [
    'Foo<a: tensor = int64[1] {7}>',
    { type: 'tensor', value: expect.objectContaining({ dims: [1] }) },
  ],
])('attribute %s keeps its kind', (call, attribute) => {
  const text = printText(parseText(`(float[1] x) => (y) { y = ${call}(x) }`));

  expect(text).toContain(call);
  expect(parseText(text).graph.nodes[0]!.attributes['a']).toEqual(attribute);
});

test('a subgraph sees the values around it and keeps its own', () => {
  const { graph } = parseText(`(bool[] c, float[1] x) => (y) {
    h = Relu(x)
    y = If<then_branch: graph = yes () => (t) { t = Neg(h) }, else_branch: graph = no () => (t) { t = Abs(x) }>(c)
  }`);

  const branches = ['then_branch', 'else_branch'].map((name) => {
    const attribute = graph.nodes[1]!.attributes[name]!;
    return attribute.type === 'graph' ? attribute.value : undefined;
  });
  expect(branches[0]!.nodes[0]!.inputs[0]).toBe(graph.nodes[0]!.outputs[0]);
  expect(branches[0]!.outputs[0]).not.toBe(branches[1]!.outputs[0]);
});

test('long constants can be shortened for reading', () => {
  const model = parseText('(float[1] x) => (y) <float[4] w = {1,2,3,4}> { y = Add(x, w) }');

  expect(printText(model, { elements: 2 })).toContain('float[4] w = {1, 2, …}');
});

test.each([
  ['(float[1] x) => (y) { y = Relu(z) }', /line 1.*'z'/],
  ['(float[1] x) =>\n(y) { y = Relu(x) y = Relu(x) }', /line 2.*'y'/],
  ['(float[1] x) => (y) { y = Relu(x }', /line 1.*','/],
  ['(float[1] x) => (y) <float[2] w = {1}> { y = Relu(x) }', /2 elements/],
  ['(float[1] x) => (y) { y = Relu(x) } ;', /';'/],
  ['<mood: 1> (x) => (y) { y = Relu(x) }', /ir_version/],
])('what cannot be read is named by line: %s', (text, message) => {
  expect(() => parseText(text)).toThrow(message);
});
