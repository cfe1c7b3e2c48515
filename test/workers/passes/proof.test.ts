import { expect, test } from 'vitest';

import { parseText } from '../../../workers/onnx/text.ts';
import { makeTensor } from '../../../workers/onnx/values.ts';
import type { Pass } from '../../../workers/passes/pass.ts';
import { PASSES } from '../../../workers/passes/registry.ts';
import { simplify } from '../../../workers/passes/simplify.ts';

/** Box coordinates in hundreds and a score below 1, joined as detectors join them. */
const detector = () =>
  parseText(
    `(float[1,3,8] X) => (float[1,5,8] Y) <int64[1] lo = {0}, int64[1] hi = {1}, int64[1] axis = {1},
      float big = {400}, float small = {0.001}, float[1,4,3] W = {${'0.25,'.repeat(11)}0.5}>
     { B = MatMul(W, X) Box = Mul(B, big) S = Slice(X, lo, hi, axis) Score = Mul(S, small)
       Y = Concat<axis=1>(Box, Score) }`,
  );

const scale = (name: string, factor: number): Pass => ({
  summary: `scale ${name} wrongly`,
  run({ graph }) {
    const value = graph.initializers.find((v) => v.name === name)!;
    value.constant = makeTensor('float32', [], [factor]);
    return 1;
  },
});

test.each([
  ['a wrong box', scale('big', 400.1)],
  // 1e-6 of the whole output's scale, 10 % of the scores': seen only part by part.
  ['a wrong score', scale('small', 0.0011)],
  [
    'a graph that cannot run',
    { summary: 'break', run: ({ graph }) => graph.nodes.pop() && 1 } as Pass,
  ],
])('a pass with %s is rolled back by name, and the others go on', async (_, wrong) => {
  const model = detector();

  const result = await simplify(model, { passes: { wrong, ...PASSES } });

  expect(result.rolledBack).toEqual([{ pass: 'wrong', why: expect.any(String) }]);
  expect(result.applied.map((p) => p.pass)).not.toContain('wrong');
  const constants = result.model.graph.initializers.map((v) => v.name);
  expect(constants).toContain('big');
});

test('the same seed gives the same result', async () => {
  const [a, b] = [await simplify(detector(), { seed: 3 }), await simplify(detector(), { seed: 3 })];

  expect(a.applied).toEqual(b.applied);
});
