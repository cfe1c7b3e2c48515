/** @file Every gradient rule and attribute form against central differences of the op itself. */

import { expect, test } from 'vitest';

import { CASES } from './cases/registry.ts';
import { compare } from './central-difference.ts';
import { FORWARD } from './gradient-case.ts';

test.each(CASES)('%s', async (_, entry) => {
  const compared = await compare(entry);

  const { tolerance } = FORWARD[entry.forward ?? 'double'];
  for (const c of compared) {
    expect(c.gradientShape, `shape of the gradient of ${c.input}`).toEqual(c.shape);
    expect(c.error, `gradient of ${c.input}`).toBeLessThanOrEqual(tolerance);
  }
});
