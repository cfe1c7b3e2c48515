/** @file Weights of losses: brought to one size, moved by rules, kept and restored. */

import { describe, expect, test } from 'vitest';

import {
  Balance,
  type Rule,
  signalWeight,
  taskWeight,
} from '../../../workers/distillation/balance.ts';

const KL = signalWeight('kl');

function balance(rule: Rule, { weight = 1, hasTask = true, teacher = 0.8 } = {}) {
  const worse: number[] = [];
  const made = new Balance([{ name: 'kl', weight, rule }], hasTask, teacher, (x) => worse.push(x));
  return { made, worse };
}

/** Norms of four steps at the start: the task's gradient is 10 times the signal's. */
function started(rule: Rule, more: Parameters<typeof balance>[1] = {}) {
  const { made, worse } = balance(rule, more);
  for (let step = 1; step <= 4; step++) {
    expect(made.probes(step).length).toBeGreaterThan(0);
    made.probed(more.hasTask === false ? { kl: 0.1 } : { task: 1, kl: 0.1 });
  }
  return { made, worse };
}

describe('units', () => {
  test.each([
    ['a weight of 1 counts as the task does at the start', {}, { [taskWeight]: 1, [KL]: 10 }],
    ['a weight of 0.5 half as much', { weight: 0.5 }, { [taskWeight]: 1, [KL]: 5 }],
    [
      'without a task’s loss gradients have norm 1',
      { hasTask: false },
      { [taskWeight]: 0, [KL]: 10 },
    ],
  ])('%s', (_, more, scalars) => {
    const { made } = started({ rule: 'constant', lambda: 1 }, more);
    expect(made.scalars(true)).toEqual(scalars);
  });

  test('are measured in the first four steps, each loss alone', () => {
    const { made } = balance({ rule: 'constant' });
    expect(made.probes(1)).toEqual([
      { name: 'task', scalars: { [taskWeight]: 1, [KL]: 0 } },
      { name: 'kl', scalars: { [taskWeight]: 0, [KL]: 1 } },
    ]);
    expect(started({ rule: 'constant' }).made.probes(5)).toEqual([]);
  });

  test('norms that are not finite are not counted', () => {
    const { made } = balance({ rule: 'constant', lambda: 2 });
    made.probed({ task: Number.NaN, kl: 1 });
    expect(made.scalars(true)).toEqual({ [taskWeight]: 1, [KL]: 2 });
  });

  test('images without labels leave the task’s loss out', () => {
    const { made } = started({ rule: 'constant', lambda: 1 });
    expect(made.scalars(false)).toEqual({ [taskWeight]: 0, [KL]: 10 });
  });
});

describe('rules', () => {
  test('gap: fades with the shortfall on the tune images', () => {
    const { made, worse } = started({ rule: 'gap' });
    const weights = [0.4, 0.6, 0.8].map((student) => {
      expect(made.judged(student)).toEqual({ teacher: 0.8 });
      return made.shown()['lambda/kl'];
    });
    expect(weights[0]).toBe(1);
    expect(weights[1]).toBeCloseTo(0.5, 9);
    expect(weights[2]).toBe(0);
    expect(worse).toEqual([]);
  });

  test('gap: a teacher that is worse than its student has no weight, and that is said once', () => {
    const { made, worse } = started({ rule: 'gap' }, { teacher: 0.3 });
    for (const student of [0.5, 0.6]) made.judged(student);
    expect(made.scalars(true)).toEqual({ [taskWeight]: 1, [KL]: 0 });
    expect(worse).toEqual([0.5]);
  });

  test('gradient-norm: is measured again every 20 steps', () => {
    const { made } = started({ rule: 'gradient-norm', ratio: 0.5 });
    expect(made.shown()['lambda/kl']).toBeCloseTo(0.5, 9);
    expect([19, 20, 21, 40].map((step) => made.probes(step).length)).toEqual([0, 2, 0, 2]);
    for (let i = 0; i < 200; i++) made.probed({ task: 1, kl: 0.05 });
    expect(made.shown()['lambda/kl']).toBeCloseTo(1, 6);
  });

  test('uncertainty: weighs the task’s loss too', () => {
    const { made } = started({ rule: 'uncertainty', learningRate: 0.1 });
    expect(made.shown()).toEqual({ 'lambda/kl': 0.5, 'lambda/task': 0.5 });
    for (let i = 0; i < 300; i++) made.stepped({ task: 4, kl: 0.1 }, i / 300);
    const { 'lambda/task': task, 'lambda/kl': kl } = made.shown();
    expect(task).toBeCloseTo(1 / 8, 3);
    expect(kl).toBeCloseTo(1 / 2, 3);
  });

  test('schedule: follows the share of the run', () => {
    const { made } = started({ rule: 'schedule', from: 2, to: 0 });
    made.stepped({ kl: 1 }, 0.25);
    expect(made.shown()['lambda/kl']).toBeCloseTo(1.5, 9);
  });

  test('a state that was written down goes on as it was', () => {
    const { made } = started({ rule: 'gradient-norm' });
    made.judged(0.2);
    made.probed({ task: 3, kl: 0.2 });
    const { made: other } = balance({ rule: 'gradient-norm' });
    other.restore(JSON.parse(JSON.stringify(made.state())));
    expect(other.scalars(true)).toEqual(made.scalars(true));
    expect(other.probes(5)).toEqual(made.probes(5));
  });
});
