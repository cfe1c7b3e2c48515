/** @file Every gradient rule and attribute form against central differences of the op itself. */

import { expect, test } from 'vitest';

import { ACTIVATIONS } from './cases/activations.ts';
import { CONVOLUTION } from './cases/convolution.ts';
import { ELEMENTWISE } from './cases/elementwise.ts';
import { FUSED } from './cases/fused.ts';
import { INDEXING } from './cases/indexing.ts';
import { LINEAR } from './cases/linear.ts';
import { NORMALIZATION } from './cases/normalization.ts';
import { POOLING } from './cases/pooling.ts';
import { REDUCE } from './cases/reduce.ts';
import { RESIZE } from './cases/resize.ts';
import { SHAPE } from './cases/shape.ts';
import { compare } from './central-difference.ts';
import { FORWARD } from './gradient-case.ts';

const TABLES = {
  activations: ACTIVATIONS,
  convolution: CONVOLUTION,
  elementwise: ELEMENTWISE,
  fused: FUSED,
  indexing: INDEXING,
  linear: LINEAR,
  normalization: NORMALIZATION,
  pooling: POOLING,
  reduce: REDUCE,
  resize: RESIZE,
  shape: SHAPE,
};
const CASES = Object.entries(TABLES).flatMap(([table, cases]) =>
  Object.entries(cases).map(([name, entry]) => [`${table}: ${name}`, entry] as const),
);

test.each(CASES)('%s', async (_, entry) => {
  const compared = await compare(entry);

  const { tolerance } = FORWARD[entry.forward ?? 'double'];
  for (const c of compared) {
    expect(c.gradientShape, `shape of the gradient of ${c.input}`).toEqual(c.shape);
    expect(c.error, `gradient of ${c.input}`).toBeLessThanOrEqual(tolerance);
  }
});
