import { expect, test } from 'vitest';
import type { Model } from '../../../workers/onnx/graph.ts';
import { OPSET_CHANGES } from '../../../workers/onnx/normalize/registry.ts';
import { CANONICAL_OPSET, normalize } from '../../../workers/onnx/normalize.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { GraphIndex } from '../../../workers/onnx/uses.ts';
import { numbersAs, valuesOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import type { Feed } from '../../../workers/runtime/session.ts';
import { answerOf } from './same-results.ts';

const big = '9223372036854775807';

/** Opset, then a graph as that opset writes it. Each line of the registry has one. */
const graphs: readonly (readonly [opset: number, text: string])[] = [
  [
    8,
    '(float[1,2,2,2] x) => (float[1,2,2,2] y) <float[2] s = {1,2}, float[2] b = {0,1}, float[2] m = {1,1}, float[2] v = {1,4}> { y = BatchNormalization<epsilon=0.01, spatial=1>(x, s, b, m, v) }',
  ],
  [
    8,
    '(float[1,1,2,3] x) => (float[1,1,4,9] y) { y = Upsample<mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]>(x) }',
  ],
  [
    8,
    '(float[1,1,2,3] x) => (float[1,1,4,6] y) { y = Upsample<mode="linear", scales=[1.0, 1.0, 2.0, 2.0]>(x) }',
  ],
  [
    9,
    '(float[1,1,2,3] x) => (float[1,1,4,6] y) <float[4] s = {1,1,2,2}> { y = Upsample<mode="linear">(x, s) }',
  ],
  [9, '(float[1,1,2,3] x) => (float[1,1,4,6] y) <float[4] s = {1,1,2,2}> { y = Upsample(x, s) }'],
  [
    10,
    '(float[1,1,4,6] x) => (float[1,1,2,9] y) <float[4] s = {1,1,0.5,1.5}> { y = Resize(x, s) }',
  ],
  [
    10,
    '(float[1,1,4,6] x) => (float[1,1,8,9] y) <float[4] s = {1,1,2,1.5}> { y = Resize<mode="linear">(x, s) }',
  ],
  [
    9,
    `(float[3,4,5] x) => (float[2,4,4] y) { y = Slice<axes=[0, 2], starts=[1, -5], ends=[${big}, -1]>(x) }`,
  ],
  [7, '(float[3,4] x) => (float[1,2] y) { y = Slice<starts=[1, 1], ends=[2, 3]>(x) }'],
  [9, '(float[3,4] x) => (float[3,2] y, int64[3,2] i) { y, i = TopK<axis=1, k=2>(x) }'],
  [9, '(float[3,4] x) => (float[3,4] y) { y = Dropout<ratio=0.5>(x) }'],
  [11, '(float[3,4] x) => (float[3,4] y) { y = Dropout<ratio=0.5>(x) }'],
  [10, '(float[3,4] x) => (float[3,4] y) { y = Clip<min=-0.5, max=0.5>(x) }'],
  [10, '(float[3,4] x) => (float[3,4] y) { y = Clip<max=0.5>(x) }'],
  [7, '(float[3,4] x) => (float[3,4] y) { y = Clip(x) }'],
  [
    10,
    '(double[2,3] x) => (double[3,4] y) { h = Neg(x) y = Pad<pads=[1, 0, 0, 1], value=2.5>(h) }',
  ],
  [10, '(float[3,4] x) => (float16[3,4] y) { h = Cast<to=10>(x) y = Clip<min=-0.3>(h) }'],
  [
    10,
    '(float[2,3] x) => (float[4,4] y) { y = Pad<mode="constant", pads=[1, 0, 1, 1], value=2.5>(x) }',
  ],
  [10, '(float[2,3] x) => (float[2,5] y) { y = Pad<mode="reflect", pads=[0, 2, 0, 0]>(x) }'],
  [
    10,
    '(float[3,3] x) => (float[3,3] y) <float[1,3] u = {7,8,9}, int64[1,3] i = {1,0,2}> { y = Scatter<axis=0>(x, i, u) } ',
  ],
  [12, '(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }'],
  [12, '(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis=2>(x) }'],
  [12, '(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax<axis=-2>(x) }'],
  [12, '(float[2,3,1,1] x) => (float[2,3,1,1] y) { y = Softmax<axis=1>(x) }'],
  [12, '(float[N,3,4] x) => (float[N,3,4] y) { h = Relu(x) y = LogSoftmax<axis=1>(h) }'],
  [8, '(float[2,3,4] x) => (float[2,3,4] y) { y = Hardmax<axis=0>(x) }'],
  [12, '(float[2,6] x) => (float[2,2] y, float[2,4] z) { y, z = Split<axis=1, split=[2, 4]>(x) }'],
  [12, '(float[2,6] x) => (float[2,3] y, float[2,3] z) { y, z = Split<axis=1>(x) }'],
  [12, '(float[1,3,1] x) => (float[3] y) { y = Squeeze(x) }'],
  [12, '(float[1,3,1] x) => (float[1,3] y) { y = Squeeze<axes=[2]>(x) }'],
  [12, '(float[3] x) => (float[1,3,1] y) { y = Unsqueeze<axes=[0, 2]>(x) }'],
  [12, '(float[2,3,4] x) => (float[2,4] y) { y = ReduceSum<axes=[1], keepdims=0>(x) }'],
  [12, '(float[2,3,4] x) => (float[1,1,1] y) { y = ReduceSum(x) }'],
  [
    13,
    '(float[2,3] x) => (float[2,3] y) <float[3] s = {1,2,3}, float[3] b = {0,0,1}, float[3] m = {0,1,0}, float[3] v = {1,1,2}> { y = BatchNormalization(x, s, b, m, v) }',
  ],
  [
    15,
    '(float[1,1,4,4] x) => (float[1,1,2,2] y) <float[1,4] r = {0.3,0.2,2.7,3.1}, int64[1] i = {0}> { y = RoiAlign<output_height=2, output_width=2, sampling_ratio=2>(x, r, i) }',
  ],
  ...[
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSumSquare',
  ].map(
    (op) =>
      [17, `(float[2,3,4] x) => (float[2,1,4] y) { a = Abs(x) y = ${op}<axes=[-2]>(a) }`] as const,
  ),
  [
    19,
    '(float[1,1,3,3] x) => (float[1,1,2,2] y) <float[1,2,2,2] g = {-0.5,0.2,0.1,0.9,0.3,-0.7,1.2,0.4}> { y = GridSample<mode="bilinear">(x, g) }',
  ],
  [
    16,
    '(float[1,1,3,3] x) => (float[1,1,2,2] y) <float[1,2,2,2] g = {-0.5,0.2,0.1,0.9,0.3,-0.7,1.2,0.4}> { y = GridSample<mode="bicubic", padding_mode="border">(x, g) }',
  ],
  [19, '(float[1,4,3,1] x) => (float[1,4,3,2] y) { y = DFT(x) }'],
  [17, '(float[1,4,3,1] x) => (float[1,4,2,2] y) { y = DFT<axis=2, onesided=1>(x) }'],
  [
    18,
    '(float[1,4,2,2] x) => (float[1,4,2,2] y) <float[2] s = {1,2}, float[2] b = {0,1}> { y = GroupNormalization<num_groups=2>(x, s, b) }',
  ],
  [
    12,
    '(float[1,3] x, bool[] c) => (float[3] y) { y = If<then_branch: graph = yes () => (float[3] t) { t = Squeeze<axes=[0]>(x) }, else_branch: graph = no () => (float[3] e) { h = Abs(x) e = Squeeze(h) }>(c) }',
  ],
  [
    10,
    '(float[1,3] x, bool[] c) => (float[1,3] y) { y = If<then_branch: graph = yes () => (float[1,3] t) { t = Clip<min=0.1, max=0.2>(x) }, else_branch: graph = no () => (float[1,3] e) { e = Clip<min=-0.1>(x) }>(c) }',
  ],
];

const model = (opset: number, text: string) =>
  parseText(
    `<ir_version: ${opset < 9 ? 3 : opset < 15 ? 6 : 8}, opset_import: ["": ${opset}]> ${text}`,
  );

/** Runs of −1.5…1.5 in steps that hit no rounding border. */
function feeds({ graph }: Model): Record<string, Feed> {
  return Object.fromEntries(
    graph.inputs.map(({ name, type }) => {
      if (type?.kind !== 'tensor') throw new Error(name);
      const dims = type.shape!.map((d) => (typeof d === 'number' ? d : 2));
      const size = dims.reduce((n, d) => n * d, 1);
      const numbers = Array.from({ length: size }, (_, i) => ((i * 37) % 61) / 20 - 1.5);
      const data = valuesOf(numbersAs(type.dtype, dims, type.dtype === 'bool' ? [1] : numbers));
      return [name, { dtype: type.dtype, dims, data }];
    }),
  );
}

test.each(graphs)('opset %i raised computes the same: %s', async (opset, text) => {
  const before = model(opset, text);
  const after = model(opset, text);
  normalize(after);

  const inputs = feeds(before);
  const [expected, found] = await Promise.all(
    [before, after].map((m) => answerOf(writeModel(m), inputs)),
  );

  expect(after.opsets['']).toBe(CANONICAL_OPSET);
  expect(expected).not.toHaveProperty('refused');
  expect(found).toEqual(expected);
});

test('every line of the registry has a graph above', () => {
  const tried = graphs.map(([opset, text]) => ({
    opset,
    ops: new Set(text.match(/\b[A-Z]\w+(?=[<(])/g)),
  }));
  const refusing = new Set(['Scan']);
  const missing = OPSET_CHANGES.flatMap(([version, changes]) =>
    Object.keys(changes)
      .filter((op) => !refusing.has(op))
      .filter((op) => !tried.some((t) => t.opset < version && t.ops.has(op)))
      .map((op) => `${op} ${version}`),
  );

  expect(missing).toEqual([]);
});

test.each([
  [8, 'float[2,1,1] x', 'BatchNormalization<spatial=0>(x, x, x, x, x)', /spatial=0/],
  [9, 'float[2] x', 'Dropout(x)', /mask/],
  [
    8,
    'float[2] x',
    'Scan<body: graph = (float[2] a) => (float[2] b) { b = Relu(a) }, num_scan_inputs=1>("", x)',
    /Scan of opset 8/,
  ],
  [18, 'float[1,4,2] x, float[2] s', 'GroupNormalization<num_groups=2>(x, s, s)', /constant scale/],
])(
  'what has no newer form is refused by node name: opset %i, %s, %s',
  (opset, inputs, call, message) => {
    const refused = model(
      opset,
      `(${inputs}) => (y) { y${call.startsWith('Dropout') ? ', m' : ''} = ${call} }`,
    );

    expect(() => normalize(refused)).toThrow(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringMatching(message) }),
    );
  },
);

test.each([6, 26])('opset %i is outside the range', (opset) => {
  expect(() => normalize(model(opset, '(float[2] x) => (float[2] y) { y = Relu(x) }'))).toThrow(
    expect.objectContaining({ code: 'OPSET_UNSUPPORTED' }),
  );
});

test('a model at or beyond the wanted opset is left alone', () => {
  const newer = model(23, '(float[2] x) => (float[2] y) { y = Relu(x) }');

  normalize(newer);

  expect(newer.opsets['']).toBe(23);
});

test('a constant that old files list as an input too is one no more once the IR allows it', () => {
  const old = model(
    8,
    '(float[1,2] x, float[2,2] w = {1,2,3,4}) => (float[1,2] y) { y = MatMul(x, w) }',
  );

  normalize(old);

  expect(old.graph.inputs.map((v) => v.name)).toEqual(['x']);
  expect(old.irVersion).toBeGreaterThanOrEqual(4);
  expect(new GraphIndex(old.graph).uses(old.graph.initializers[0]!)).toHaveLength(1);
});
