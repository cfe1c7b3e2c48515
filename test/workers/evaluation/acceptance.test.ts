import { expect, test } from 'vitest';

import type { Accept } from '../../../src/contract/accept.ts';
import { type AcceptMeasured, judge } from '../../../workers/evaluation/acceptance.ts';

const cases: readonly (readonly [string, Accept, AcceptMeasured, boolean])[] = [
  ['nothing asked', {}, {}, true],
  ['drop under the limit', { maxDrop: 0.01 }, { drop: 0.004 }, true],
  ['drop at the limit, up to rounding', { maxDrop: 0.01 }, { drop: 0.6 - 0.59 }, true],
  ['drop over the limit', { maxDrop: 0.01 }, { drop: 0.0101 }, false],
  ['a gain', { maxDrop: 0 }, { drop: -0.02 }, true],
  ['drop that could not be measured', { maxDrop: 0.01 }, { drop: null }, false],
  ['agreement enough', { minAgreement: 0.95 }, { agreement: 0.951 }, true],
  ['agreement too low', { minAgreement: 0.95 }, { agreement: 0.949 }, false],
  ['agreement that is no number', { minAgreement: 0 }, { agreement: Number.NaN }, false],
  ['fast enough', { minSpeedup: 1.5 }, { speedup: 1.6, speedupInterval: [1.4, 1.7] }, true],
  [
    'perhaps fast enough',
    { minSpeedup: 1.5 },
    { speedup: 1.45, speedupInterval: [1.3, 1.55] },
    true,
  ],
  ['surely too slow', { minSpeedup: 1.5 }, { speedup: 1.4, speedupInterval: [1.3, 1.49] }, false],
  ['too slow, without an interval', { minSpeedup: 1.5 }, { speedup: 1.4 }, false],
  ['latency', { maxLatencyMs: 10 }, { latencyMs: 10.5 }, false],
  ['bytes at the limit', { maxBytes: 4_000_000 }, { bytes: 4_000_000 }, true],
  ['one byte too many', { maxBytes: 4_000_000 }, { bytes: 4_000_001 }, false],
  ['one of two missed', { maxBytes: 10, maxDrop: 0.1 }, { bytes: 11, drop: 0 }, false],
];

test.each(cases)('%s', (_, accept, measured, passed) => {
  const result = judge(accept, measured);

  expect(result.passed).toBe(passed);
  expect(result.checks.map((c) => c.limit).sort()).toEqual(Object.keys(accept).sort());
});

test.each([
  [{ maxDrop: 0.01 }, { drop: 0.0123 }, '0.0123 is above the limit 0.01 by 0.0023'],
  [{ maxBytes: 100 }, { bytes: 12_345_678 }, '12345678 is above the limit 100 by 12345578'],
  [{ minAgreement: 0.9 }, {}, 'could not be measured: it takes images in val'],
  [
    { minSpeedup: 1.5 },
    { speedup: 1.45, speedupInterval: [1.3, 1.55] },
    '1.45 is below the limit 1.5 by 0.05, which is within the 95 % interval of the measurement',
  ],
] as const)('the check %j says by how much', (accept, measured, detail) => {
  expect(judge(accept, measured as AcceptMeasured).checks[0]).toMatchObject({ detail });
});
