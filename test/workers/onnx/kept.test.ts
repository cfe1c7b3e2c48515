import { expect, test } from 'vitest';

import { Out } from '../../../workers/onnx/out.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { file, graph, node, tensor, valueInfo } from './protobuf.ts';

const entry = (key: string, value: string) => new Out().text(1, key).text(2, value);
const has = (bytes: Uint8Array, part: string) => Buffer.from(bytes).includes(part);
const plain = (more = new Out()) => graph([node('Relu', ['x'], ['y'])], more);
const model = (top: Out) => Buffer.concat([file(plain()), top.finish()]);

/** Text that a file holds in a place that few look at. */
const places: Readonly<Record<string, Uint8Array>> = {
  'producer version': model(new Out().text(3, 'KEPT')),
  'model domain': model(new Out().text(4, 'KEPT')),
  'model doc': model(new Out().text(6, 'KEPT')),
  'model metadata': model(new Out().message(14, entry('key', 'KEPT'))),
  'opset of a domain that nothing uses': model(
    new Out().message(8, new Out().text(1, 'KEPT').int(2, 3)),
  ),
  'training info': model(new Out().message(20, new Out().message(1, new Out().text(2, 'KEPT')))),
  'model-local function': model(new Out().message(25, new Out().text(1, 'KEPT'))),
  'device configuration': model(new Out().message(26, new Out().text(1, 'KEPT'))),
  'graph doc': file(plain(new Out().text(10, 'KEPT'))),
  'graph metadata': file(plain(new Out().message(16, entry('key', 'KEPT')))),
  'quantization annotation': file(plain(new Out().message(14, new Out().text(1, 'KEPT')))),
  'sparse initializer': file(
    plain(
      new Out().message(
        15,
        new Out()
          .message(1, tensor('KEPT', [1], 1, new Out().bytes(9, new Uint8Array(4))))
          .message(2, tensor('i', [1], 7, new Out().bytes(9, new Uint8Array(8))))
          .int(3, 4),
      ),
    ),
  ),
  'node doc': file(graph([node('Relu', ['x'], ['y'], new Out().text(6, 'KEPT'))])),
  'node metadata': file(
    graph([node('Relu', ['x'], ['y'], new Out().message(9, entry('key', 'KEPT')))]),
  ),
  'node overload': file(graph([node('Relu', ['x'], ['y'], new Out().text(8, 'KEPT'))])),
  'attribute doc': file(
    graph([
      node(
        'Elu',
        ['x'],
        ['y'],
        new Out().message(5, new Out().text(1, 'alpha').float(2, 1).text(13, 'KEPT').int(20, 1)),
      ),
    ]),
  ),
  'attribute of a rare kind': file(
    graph([
      node(
        'Optional',
        ['x'],
        ['y'],
        new Out().message(
          5,
          new Out().text(1, 'type').message(14, new Out().text(6, 'KEPT')).int(20, 13),
        ),
      ),
    ]),
  ),
  'tensor doc': file(
    plain(
      new Out().message(
        5,
        tensor('w', [1], 1, new Out().bytes(9, new Uint8Array(4)).text(12, 'KEPT')),
      ),
    ),
  ),
  'input doc': file(
    new Out()
      .message(1, node('Relu', ['x'], ['y']))
      .message(11, valueInfo('x').text(3, 'KEPT'))
      .message(12, valueInfo('y')),
  ),
  'output doc': file(
    new Out()
      .message(1, node('Relu', ['x'], ['y']))
      .message(11, valueInfo('x'))
      .message(12, valueInfo('y').text(3, 'KEPT')),
  ),
  'doc of an inner value': file(
    graph(
      [node('Relu', ['x'], ['h']), node('Relu', ['h'], ['y'])],
      new Out().message(13, valueInfo('h').text(3, 'KEPT')),
    ),
  ),
  'type denotation': file(
    new Out()
      .message(1, node('Relu', ['x'], ['y']))
      .message(
        11,
        new Out()
          .text(1, 'x')
          .message(2, new Out().message(1, new Out().int(1, 1)).text(6, 'KEPT')),
      )
      .message(12, valueInfo('y')),
  ),
};

test.each(Object.entries(places))('%s survives reading and writing', (_, bytes) => {
  expect(has(bytes, 'KEPT')).toBe(true);

  const once = writeModel(readModel(bytes));

  expect(has(once, 'KEPT')).toBe(true);
  expect(writeModel(readModel(once))).toEqual(once);
});

const f32 = (...x: number[]) => new Uint8Array(Float32Array.from(x).buffer);
const f64 = (...x: number[]) => new Uint8Array(Float64Array.from(x).buffer);

/** Element type, its typed field packed, and the numbers. */
test.each<[string, number, Out, number[]]>([
  ['float_data', 1, new Out().bytes(4, f32(1.5, -2)), [1.5, -2]],
  ['float_data one by one', 1, new Out().float(4, 1.5).float(4, -2), [1.5, -2]],
  ['double_data', 11, new Out().bytes(10, f64(0.1, 2)), [0.1, 2]],
  ['int64_data', 7, new Out().int(7, -3).int(7, 2 ** 40), [-3, 2 ** 40]],
  ['int32_data as int32', 6, new Out().int(5, -3).int(5, 7), [-3, 7]],
  ['int32_data as int8', 3, new Out().int(5, -3).int(5, 127), [-3, 127]],
  ['int32_data as uint8', 2, new Out().int(5, 255).int(5, 0), [255, 0]],
  ['int32_data as int16', 5, new Out().int(5, -300).int(5, 300), [-300, 300]],
  ['int32_data as bool', 9, new Out().int(5, 1).int(5, 0), [1, 0]],
  ['int32_data as float16', 10, new Out().int(5, 0x3c00).int(5, 0xc000), [1, -2]],
  ['int32_data as bfloat16', 16, new Out().int(5, 0x3f80).int(5, 0xc000), [1, -2]],
  ['uint64_data as uint32', 12, new Out().int(11, 4294967295).int(11, 1), [4294967295, 1]],
  ['uint64_data', 13, new Out().int(11, 5).int(11, 2 ** 40), [5, 2 ** 40]],
])('%s is read as its elements and written as raw bytes', (_, dtype, data, numbers) => {
  const bytes = file(plain(new Out().message(5, tensor('w', [2], dtype, data))));

  const first = readModel(bytes);
  const again = readModel(writeModel(first));

  for (const { graph: g } of [first, again])
    expect(numbersOf(g.initializers[0]!.constant!)).toEqual(numbers);
});

test('nodes out of order are sorted, all else keeps its place', () => {
  const { graph: g } = readModel(
    file(graph([node('Tanh', ['h'], ['y']), node('Relu', ['x'], ['h'])])),
  );

  expect(g.nodes.map((n) => n.op)).toEqual(['Relu', 'Tanh']);
});
