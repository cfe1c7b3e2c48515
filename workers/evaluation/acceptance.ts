/** @file Acceptance: a result against the limits of its job. */

import type { Accept, AcceptCheck } from '../../src/contract/accept.ts';

/** What was measured; null or absent: it could not be. */
export interface AcceptMeasured {
  /** Baseline − result in the headline metric, on val. */
  readonly drop?: number | null;
  readonly agreement?: number | null;
  /** Median of the paired latency ratios original / result, with its 95 % interval. */
  readonly speedup?: number | null;
  readonly speedupInterval?: readonly [number, number];
  /** Median, ms. */
  readonly latencyMs?: number | null;
  readonly bytes?: number | null;
}

interface Rule {
  readonly measured: (m: AcceptMeasured) => number | null | undefined;
  /** +1: the limit is the most that is allowed; −1: the least. */
  readonly side: 1 | -1;
  /** What decides, where it is not the figure itself. */
  readonly decisive?: (m: AcceptMeasured) => number | undefined;
  /** What it takes to measure it. */
  readonly needs: string;
}

type Limit = keyof Accept;

const RULES: Readonly<Record<Limit, Rule>> = {
  maxDrop: { measured: (m) => m.drop, side: 1, needs: 'a labelled val split' },
  minAgreement: { measured: (m) => m.agreement, side: -1, needs: 'images in val' },
  minSpeedup: {
    measured: (m) => m.speedup,
    side: -1,
    // Only when even the interval's upper end is below it: noise must not reject a job.
    decisive: (m) => m.speedupInterval?.[1],
    needs: 'a latency measurement',
  },
  maxLatencyMs: { measured: (m) => m.latencyMs, side: 1, needs: 'a latency measurement' },
  maxBytes: { measured: (m) => m.bytes, side: 1, needs: 'the model file' },
};

/** Rounding of differences of doubles: 0.60 − 0.59 is a hair above 0.01. */
const SLACK = 1e-9;

/**
 * Check every limit that `accept` states. A limit whose figure could not be measured is not met.
 */
export function judge(
  accept: Accept,
  measured: AcceptMeasured,
): { passed: boolean; checks: AcceptCheck[] } {
  const limits = (Object.keys(RULES) as Limit[]).filter((limit) => accept[limit] !== undefined);
  const checks = limits.map((limit) => check(limit, accept[limit]!, measured));
  return { passed: checks.every((c) => c.passed), checks };
}

function check(limit: Limit, allowed: number, m: AcceptMeasured): AcceptCheck {
  const { measured, side, decisive, needs } = RULES[limit];
  const value = measured(m) ?? null;
  if (value === null || Number.isNaN(value))
    return {
      limit,
      allowed,
      measured: null,
      passed: false,
      detail: `could not be measured: it takes ${needs}`,
    };
  const excess = ((decisive?.(m) ?? value) - allowed) * side;
  const passed = excess <= SLACK;
  const over = (value - allowed) * side > SLACK;
  return {
    limit,
    allowed,
    measured: value,
    passed,
    ...(over && { detail: why(value, allowed, passed, side) }),
  };
}

function why(value: number, allowed: number, passed: boolean, side: 1 | -1): string {
  const gap = figure(Math.abs(value - allowed));
  const words = `${figure(value)} is ${side > 0 ? 'above' : 'below'} the limit ${figure(allowed)} by ${gap}`;
  return passed ? `${words}, which is within the 95 % interval of the measurement` : words;
}

const figure = (x: number): string =>
  Number.isInteger(x) ? String(x) : String(Number(x.toPrecision(4)));
