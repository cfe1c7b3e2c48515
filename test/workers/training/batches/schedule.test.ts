import { expect, test } from 'vitest';

import { Schedule } from '../../../../workers/training/batches/schedule.ts';

const pick = (schedule: Schedule, step: number, place: number, others = 0) =>
  schedule.pick(step, place, others, schedule.rng(step, place));

/** The images of some steps, in the order shown. */
function shown(schedule: Schedule, steps: readonly number[], batch: number): number[] {
  return steps.flatMap((step) =>
    Array.from({ length: batch }, (_, place) => pick(schedule, step, place)[0]!),
  );
}

const steps = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);

test.each([
  [8, 4, 2],
  [10, 4, 3],
  [3, 8, 1],
  [1, 8, 1],
  [1, 1, 1],
])('%i images in batches of %i: %i steps show each once', (images, batch, perEpoch) => {
  const schedule = new Schedule({ images, batch, seed: 1 });

  expect(schedule.stepsPerEpoch).toBe(perEpoch);
  for (const epoch of [0, 1, 7]) {
    const all = shown(schedule, steps(epoch * perEpoch, perEpoch), batch);
    expect(sorted(all.slice(0, images))).toEqual(steps(0, images));
    expect(all).toHaveLength(perEpoch * batch);
  }
});

test("an epoch's last batch is filled from the start of the next epoch's order", () => {
  const schedule = new Schedule({ images: 10, batch: 4, seed: 1 });
  const last = shown(schedule, [2], 4);
  const next = shown(schedule, [3], 4);

  expect(last.slice(2)).toEqual(next.slice(0, 2));
});

test('epochs and seeds have orders of their own', () => {
  const order = (seed: number, epoch: number) =>
    shown(new Schedule({ images: 40, batch: 8, seed }), steps(epoch * 5, 5), 8).join();
  const orders = [order(0, 0), order(0, 1), order(0, 2), order(1, 0), order(1, 1)];

  expect(new Set(orders).size).toBe(orders.length);
});

test('steps asked for in any order are the same steps', () => {
  const [up, down] = [0, 1].map(() => new Schedule({ images: 30, batch: 4, seed: 9 }));
  const forward = steps(0, 60).map((step) => shown(up!, [step], 4));
  const backward = steps(0, 60)
    .reverse()
    .map((step) => shown(down!, [step], 4))
    .reverse();

  expect(backward).toEqual(forward);
});

test("a mosaic's others are other images that come soon after", () => {
  const schedule = new Schedule({ images: 500, batch: 5, seed: 2 });
  const order = shown(schedule, steps(0, 100), 5);
  const others = new Set<number>();
  for (const step of steps(0, 80)) {
    const [first, ...rest] = pick(schedule, step, 2, 3);
    const at = order.indexOf(first!);
    expect(at).toBe(step * 5 + 2);
    for (const other of rest) {
      expect(order.indexOf(other) - at).toBeGreaterThan(0);
      expect(order.indexOf(other) - at).toBeLessThanOrEqual(64);
      others.add(order.indexOf(other) - at);
    }
  }
  expect(others.size).toBeGreaterThan(40);
});

test('no two pictures share their random numbers', () => {
  const schedules = [0, 1, 2].map((seed) => new Schedule({ images: 9, batch: 4, seed }));
  const drawn = schedules.flatMap((schedule) =>
    steps(0, 300).flatMap((step) => steps(0, 8).map((i) => schedule.rng(step, i).uniform())),
  );

  // 7200 draws of 32 bits: two alike by chance once in 160 such tests.
  expect(new Set(drawn).size).toBe(drawn.length);
});
