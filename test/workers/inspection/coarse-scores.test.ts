/** @file Scores that have next to no codes left are found without running the model, and the reason is given. */

import { expect, test } from 'vitest';

import { coarseScores } from '../../../workers/inspection/coarse-scores.ts';
import { modelOf } from '../../helpers/tiny-model.ts';

/** Boxes beside scores in one output, rounded as the parts say. */
const detector = (tail: string, scale: number) =>
  modelOf(
    `<ir_version: 8, opset_import: ["" : 17]>
     g (float[1,4,8] boxes, float[1,3,8] logits, float s) => (float[1,7,8] y) { p = Sigmoid(logits) ${tail} }`,
    { s: { dims: [], data: [scale] } },
  );

const joined = 'c = Concat<axis=1>(boxes, p) q = QuantizeLinear(c, s) y = DequantizeLinear(q, s)';
const apart = 'q = QuantizeLinear(boxes, s) b = DequantizeLinear(q, s) y = Concat<axis=1>(b, p)';

test.each([
  ['one scale for boxes and scores', joined, 2.5, 'every score becomes 0'],
  ['a scale of half a score', joined, 0.5, 'multiples of 0.5'],
  ['a scale that scores have room in', joined, 1 / 256, undefined],
  ['boxes rounded by themselves', apart, 2.5, undefined],
])('%s', (_, tail, scale, expected) => {
  const warnings = coarseScores(detector(tail, scale));

  expect(warnings).toHaveLength(expected === undefined ? 0 : 1);
  expect(warnings.join()).toContain(expected ?? '');
});
