import { expect, test } from 'vitest';

import { cloneModel } from '../../../workers/onnx/clone.ts';
import { Names } from '../../../workers/onnx/names.ts';
import { parseText, printText } from '../../../workers/onnx/text.ts';
import { isSorted, sortNodes } from '../../../workers/onnx/topological.ts';
import { GraphIndex, replaceUses } from '../../../workers/onnx/uses.ts';
import {
  bfloatToNumber,
  halfToNumber,
  numberToBfloat,
  numberToHalf,
} from '../../../workers/onnx/values.ts';

const branching = `(bool[] c, float[1] x) => (y) {
  h = Relu(x)
  y = If<then_branch: graph = yes () => (t) { t = Neg(h) }, else_branch: graph = no () => (e) { e = Abs(x) }>(c)
}`;

test('an index knows makers and uses, those inside subgraphs included', () => {
  const { graph } = parseText(branching);
  const [relu, branch] = graph.nodes;
  const h = relu!.outputs[0]!;

  const index = new GraphIndex(graph);

  expect(index.producer(h)).toBe(relu);
  expect(index.producer(graph.inputs[0]!)).toBeUndefined();
  expect(index.uses(h)).toEqual([{ node: branch, index: -1 }]);
  expect(index.uses(graph.inputs[0]!)).toEqual([{ node: branch, index: 0 }]);
  expect(index.isOutput(graph.outputs[0]!)).toBe(true);
  expect(index.isOutput(h)).toBe(false);
});

test('a node that takes a value twice is two uses', () => {
  const { graph } = parseText('(float[1] x) => (y) { y = Mul(x, x) }');

  expect(new GraphIndex(graph).uses(graph.inputs[0]!).map((u) => u.index)).toEqual([0, 1]);
});

test('uses are replaced in subgraphs and outputs too', () => {
  const { graph } = parseText(branching.replace('=> (y)', '=> (y, h)'));
  const h = graph.nodes[0]!.outputs[0]!;

  replaceUses(graph, h, graph.inputs[1]!);

  expect(new GraphIndex(graph).uses(h)).toEqual([]);
  expect(graph.outputs[1]).toBe(graph.inputs[1]);
});

test('a copy shares tensors, and no change of it reaches the original', () => {
  const model = parseText(branching.replace('{\n', '<float[1] w = {1}> {\n'));
  const before = printText(model);

  const copy = cloneModel(model);
  expect(printText(copy)).toBe(before);
  expect(copy.graph.initializers[0]!.constant).toBe(model.graph.initializers[0]!.constant);

  copy.graph.inputs[1]!.name = 'renamed';
  copy.graph.nodes.pop();
  copy.opsets['com.acme'] = 1;
  copy.metadata['key'] = 'value';
  expect(printText(model)).toBe(before);
});

test('nodes are put in order, captures of subgraphs respected', () => {
  const { graph } = parseText(branching);
  graph.nodes.reverse();
  expect(isSorted(graph)).toBe(false);

  sortNodes(graph);

  expect(graph.nodes.map((n) => n.op)).toEqual(['Relu', 'If']);
  expect(isSorted(graph)).toBe(true);
});

test('a chain of 50,000 nodes in reverse is sorted', () => {
  const links = Array.from({ length: 50_000 }, (_, i) => `v${i + 1} = Relu(v${i})`);
  const { graph } = parseText(`(float[1] v0) => (v50000) { ${links.join('\n')} }`);
  graph.nodes.reverse();

  sortNodes(graph);

  expect(graph.nodes[0]!.inputs[0]!.name).toBe('v0');
});

test('a cycle through a subgraph is found', () => {
  const { graph } = parseText(branching);
  graph.nodes[0]!.inputs[0] = graph.outputs[0];

  expect(() => sortNodes(graph)).toThrow(/cycle/);
});

test('fresh names clash with nothing, subgraphs included', () => {
  const names = new Names(parseText(branching).graph);

  expect([names.fresh('t'), names.fresh('h'), names.fresh('new'), names.fresh('new')]).toEqual([
    't_1',
    'h_1',
    'new',
    'new_1',
  ]);
});

test('every float16 and bfloat16 becomes a number and its own bits again', () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 65536; bits++) {
    const [half, brain] = [halfToNumber(bits), bfloatToNumber(bits)];
    if (!Number.isNaN(half) && numberToHalf(half) !== bits) wrong.push(bits);
    if (!Number.isNaN(brain) && numberToBfloat(brain) !== bits) wrong.push(bits);
  }

  expect(wrong).toEqual([]);
});

test.each([
  [65519, 0x7bff],
  [65520, 0x7c00],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 ** -25, 0],
  [2 ** -25 + 2 ** -40, 1],
  [-1e-9, 0x8000],
])('%d rounds to float16 %i, ties to even', (x, bits) => {
  expect(numberToHalf(x)).toBe(bits);
});
