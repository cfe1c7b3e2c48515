import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { JobEvent } from '../../../src/contract/events.ts';
import { Progress } from '../../../workers/jobs/progress.ts';

type Told = Extract<JobEvent, { type: 'progress' }>;

const PHASES = [
  { index: null, weight: 10 },
  { index: 0, weight: 60 },
  { index: 0, weight: 20 },
  { index: null, weight: 10 },
];

let told: Told[];
let progress: Progress;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  progress = new Progress(PHASES, (event) => told.push(event));
});
afterEach(() => {
  vi.useRealTimers();
});

const last = () => told.at(-1)!;

test('a share of a phase is a share of the job and of its stage', () => {
  progress.next('first')(1);
  const tell = progress.next('second');
  vi.advanceTimersByTime(1000);

  tell(0.5, 'half way');

  expect(last()).toMatchObject({
    progress: 0.4,
    index: 0,
    stageProgress: 0.375,
    doing: 'half way',
  });
});

test('it never falls, though a phase may', () => {
  const tell = progress.next('first');
  for (const share of [0.2, 0.9, 0.1, 1]) {
    vi.advanceTimersByTime(1000);
    tell(share);
  }

  const shares = told.map((t) => t.progress);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
});

test('at most four times a second, but the ends of a phase always', () => {
  const tell = progress.next('first');
  for (let i = 1; i <= 100; i++) {
    vi.advanceTimersByTime(10);
    tell(i / 100);
  }

  expect(told.length).toBeLessThanOrEqual(6);
  expect(told.at(0)!.progress).toBe(0);
  expect(last().progress).toBe(0.1);
});

test('seconds left follow the pace so far; skipped phases count for nothing', () => {
  progress.next('first');
  vi.advanceTimersByTime(10_000);
  expect(last().estimatedSecondsLeft).toBeNull();

  progress.next('second');
  expect(last().estimatedSecondsLeft).toBe(90);

  const resumed = new Progress(PHASES, (event) => told.push(event));
  resumed.next('first');
  vi.advanceTimersByTime(10_000);
  resumed.skip();
  resumed.skip();
  resumed.next('last');
  expect(last()).toMatchObject({ progress: 0.9, estimatedSecondsLeft: 10 });
});

test('a phase that is over says nothing more', () => {
  const old = progress.next('first');
  progress.next('second');
  const before = told.length;

  vi.advanceTimersByTime(1000);
  old(0.9);

  expect(told.length).toBe(before);
});
