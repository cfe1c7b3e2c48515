import { expect, test } from 'vitest';

import { Out } from '../../../workers/onnx/out.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { file, graph, nested, node, tensor, valueInfo } from './protobuf.ts';

const relu = node('Relu', ['x'], ['y']);
const withTensor = (t: Out) => file(graph([relu], new Out().message(5, t)));
const good = writeModel(
  parseText(
    '(float[1,4] x) => (float[1,2] y) <float[4,2] w = {1,2,3,4,5,6,7,8}> { y = MatMul(x, w) }',
  ),
);
const element = (bytes: Uint8Array) =>
  new Out().bytes(4, new Out().bytes(1, bytes).finish()).finish();

/** What the file is, its bytes, the code it is refused with, and what the message names. */
const files: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
  ['empty', new Uint8Array(), 'MODEL_UNREADABLE', /empty/],
  ['text', Buffer.from('{"not": "a model"}'), 'MODEL_UNREADABLE', /./],
  ['zip', Buffer.from('PK\x03\x04\x14\0\0\0\x08\0'), 'MODEL_UNREADABLE', /./],
  ['PNG', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'MODEL_UNREADABLE', /./],
  ['zeros', new Uint8Array(1000), 'MODEL_UNREADABLE', /./],
  ['0xff', new Uint8Array(1000).fill(255), 'MODEL_UNREADABLE', /./],
  ['half of a model', good.subarray(0, good.length / 2), 'MODEL_UNREADABLE', /EOF/],
  ['a protobuf without a graph', new Out().int(1, 8).finish(), 'MODEL_UNREADABLE', /no graph/],
  [
    '3 GiB of raw floats declared, 16 bytes there',
    withTensor(tensor('w', [1024, 786432], 1, new Out().bytes(9, new Uint8Array(16)))),
    'MODEL_INVALID',
    /'w'.*3221225472 bytes.*holds 16/,
  ],
  [
    '3 GiB of listed integers declared, 16 there',
    withTensor(tensor('w', [1024, 393216], 7, new Out().bytes(7, new Uint8Array(16)))),
    'MODEL_INVALID',
    /'w'.*402653184 elements/,
  ],
  [
    'a product of dims over 2⁵³',
    withTensor(tensor('w', [2 ** 40, 2 ** 40], 1)),
    'MODEL_INVALID',
    /'w'.*overflows/,
  ],
  ['a negative dim', withTensor(tensor('w', [-1], 1)), 'MODEL_INVALID', /'w'.*-1/],
  [
    'floats in the field of integers',
    withTensor(tensor('w', [1], 1, new Out().bytes(7, Uint8Array.of(1)))),
    'MODEL_INVALID',
    /'w'.*float32/,
  ],
  [
    'too many listed integers',
    withTensor(tensor('w', [1], 7, new Out().bytes(7, Uint8Array.of(1, 2)))),
    'MODEL_INVALID',
    /'w'/,
  ],
  [
    'strings missing',
    withTensor(tensor('w', [2], 8, new Out().string(6, 'a'))),
    'MODEL_INVALID',
    /'w'.*2 strings/,
  ],
  [
    'an element type that does not exist',
    withTensor(tensor('w', [1], 99)),
    'MODEL_UNREADABLE',
    /99/,
  ],
  [
    'groups nested 10,000 deep',
    new Uint8Array(10_000).fill((20 << 3) | 3),
    'MODEL_UNREADABLE',
    /./,
  ],
  [
    'types nested 10,000 deep',
    file(
      new Out()
        .message(1, relu)
        .message(
          11,
          new Out()
            .text(1, 'x')
            .bytes(2, Array.from({ length: 10_000 }).reduce<Uint8Array>(element, new Uint8Array())),
        )
        .message(12, valueInfo('y')),
    ),
    'MODEL_TOO_COMPLEX',
    /inside messages/,
  ],
  [
    'subgraphs nested 10,000 deep',
    file(new Out().raw(nested(10_000, [6, 5, 1]))),
    'MODEL_TOO_COMPLEX',
    /inside messages/,
  ],
  [
    'a cycle',
    file(graph([node('Relu', ['y'], ['z']), node('Relu', ['z'], ['y'])])),
    'MODEL_INVALID',
    /Relu.*cycle/,
  ],
  [
    'a node that uses its own output',
    file(graph([node('Relu', ['y'], ['y'])])),
    'MODEL_INVALID',
    /Relu.*cycle/,
  ],
  [
    'a dangling input',
    file(graph([node('Relu', ['nowhere'], ['y'])])),
    'MODEL_INVALID',
    /Relu.*'nowhere'/,
  ],
  [
    'an output that nothing makes',
    file(graph([node('Relu', ['x'], ['z'])])),
    'MODEL_INVALID',
    /'y'/,
  ],
  [
    'one name for two values',
    file(graph([relu, node('Tanh', ['x'], ['y'])])),
    'MODEL_INVALID',
    /Tanh.*'y'/,
  ],
  [
    'an unknown domain',
    file(graph([node('Relu', ['x'], ['y'], new Out().text(7, 'com.acme'))])),
    'MODEL_INVALID',
    /Relu.*'com\.acme'/,
  ],
  [
    'no opset import',
    new Out()
      .int(1, 8)
      .message(7, graph([relu]))
      .finish(),
    'MODEL_INVALID',
    /opset/,
  ],
  ['opset 6', file(graph([relu]), 6), 'OPSET_UNSUPPORTED', /opset 6.*7 to 25/],
  ['opset 26', file(graph([relu]), 26), 'OPSET_UNSUPPORTED', /opset 26/],
  [
    'a weight of the wrong type',
    file(
      graph(
        [node('MatMul', ['x', 'w'], ['y'])],
        new Out().message(5, tensor('w', [1], 7, new Out().bytes(7, Uint8Array.of(1)))),
      ),
    ),
    'MODEL_INVALID',
    /MatMul.*'x' \(float32\).*'w' \(int64\)/,
  ],
  [
    'a zero-sized weight',
    file(graph([node('MatMul', ['x', 'w'], ['y'])], new Out().message(5, tensor('w', [2, 0], 1)))),
    'MODEL_INVALID',
    /MatMul.*'w'.*\[2,0\]/,
  ],
  ['no nodes', file(graph([])), 'MODEL_INVALID', /'y'/],
  [
    'a string that is not UTF-8',
    file(graph([node('Relu', ['x'], ['y'], new Out().bytes(3, Uint8Array.of(0xc3, 0x28)))])),
    'MODEL_UNREADABLE',
    /UTF-8/,
  ],
];

test.each(files)('%s is refused by name', (_, bytes, code, message) => {
  expect(() => readModel(bytes)).toThrow(
    expect.objectContaining({
      name: 'ServiceError',
      code,
      message: expect.stringMatching(message),
    }),
  );
});

const limits = {
  bytes: 10,
  nodes: 0,
  attributes: 0,
  initializers: 0,
  rank: 1,
  stringBytes: 2,
  depth: 2,
} as const;

test.each(Object.entries(limits))('the limit on %s is kept', (name, limit) => {
  const bytes = writeModel(
    parseText(
      '(float[1,4] long) => (float[4,2] y) <float[4,2] w = {1,2,3,4,5,6,7,8}> { y = Gemm<transA=1>(long, w) }',
    ),
  );

  expect(() => readModel(bytes, { limits: { [name]: limit } })).toThrow(
    expect.objectContaining({ code: 'MODEL_TOO_COMPLEX' }),
  );
});

test('a model cut anywhere, or with any byte changed, is read or refused by one of our codes', () => {
  const codes = new Set<string>();
  const attempt = (bytes: Uint8Array) => {
    try {
      readModel(bytes);
    } catch (error) {
      codes.add((error as { code?: string }).code ?? String(error));
    }
  };
  for (let i = 0; i < good.length; i++) {
    attempt(good.subarray(0, i));
    for (let bit = 0; bit < 8; bit++) attempt(good.with(i, good[i]! ^ (1 << bit)));
  }

  expect([...codes].toSorted()).toEqual(
    ['MODEL_INVALID', 'MODEL_TOO_COMPLEX', 'MODEL_UNREADABLE', 'OPSET_UNSUPPORTED'].filter((c) =>
      codes.has(c),
    ),
  );
  expect(codes).toContain('MODEL_UNREADABLE');
});
