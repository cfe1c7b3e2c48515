/** @file A student beside its teacher, on real images: it learns, with labels and without, repeats itself and resumes. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Sample } from '../../../workers/data/dataset.ts';
import {
  WEIGHTINGS,
  type WeightingName,
} from '../../../workers/distillation/weighting/registry.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { testFolder } from '../../helpers/image-folder.ts';
import { squares } from '../../helpers/squares.ts';
import { curve, type Taught, taught } from './taught.ts';

let images: Sample[];
let bare: Sample[];
beforeAll(async () => {
  images = await squares(await mkdtemp(join(tmpdir(), 'lathe-distill-')), 11);
  bare = images.map(({ name, file }) => ({ name, file }));
});

const length = (steps: number) => ({ length: { steps } });
const bytesOf = ({ student }: Awaited<ReturnType<typeof taught>>) =>
  Buffer.from(writeModel(student));

describe('without labels', () => {
  test('the teacher is all there is, and the student comes to agree with it', async () => {
    const { result, told, signals } = await taught(bare, {
      settings: { ...length(30), lr: 0.003 },
    });

    expect(result).toMatchObject({ loss: 'none', metric: 'agreement' });
    expect(signals.map((s) => s.kind)).toEqual(['logit-bce', 'box-distribution']);
    const distances = curve(told, 'box-distribution');
    expect(distances.at(-1)! / distances[0]!).toBeLessThan(0.5);
  });

  test('rules that weigh against labels become constant, and that is said', async () => {
    const { told, signals } = await taught(bare, { distill: { weighting: { rule: 'gap' } } });

    expect(signals.map((s) => s.weighting)).toEqual(['constant', 'constant']);
    expect(told.infos.join()).toMatch(/Without labels .* constant, not 'gap'/);
  });
});

describe('with labels', () => {
  const rules = Object.keys(WEIGHTINGS) as WeightingName[];

  test.each(rules)('rule %s: losses, weights and norms are told at each step', async (rule) => {
    const { told, result } = await taught(images, { distill: { weighting: { rule } } });

    expect(result.loss).toBe('task-aligned');
    for (const name of ['loss', 'task', 'logit-bce', 'box-distribution', 'gradientNorm'])
      for (const x of curve(told, name)) expect(x, name).toBeGreaterThan(0);
    for (const x of curve(told, 'lambda/logit-bce')) expect(x).toBeGreaterThanOrEqual(0);
    expect(result.curve[0]).toHaveProperty('teacher');
    expect(result.curve[0]).toHaveProperty('lambda/box-distribution');
  });

  test('images without labels join in their share of the steps', async () => {
    const unlabelled = bare
      .slice(0, 4)
      .map((s) => ({ ...s, boxes: [], unlabelled: true as const }));
    const context = { unlabelled, fit: images.slice(4, 8) };
    const { told } = await taught(images, { settings: length(6), context });

    // Half of the steps have no boxes, and there the labels weigh nothing: what is trained is the teacher's loss alone.
    expect(curve(told, 'box').map((x) => x > 0)).toEqual([true, false, true, false, true, false]);
    const [total, task] = [curve(told, 'loss'), curve(told, 'task')];
    expect(Math.abs(total[4]! - task[4]! - total[5]!)).toBeLessThan(0.01 * task[5]!);
  });
});

describe('a run', () => {
  test('repeats itself bit by bit', async () => {
    const [a, b] = [await taught(images), await taught(images)];
    expect(bytesOf(a).equals(bytesOf(b))).toBe(true);
  });

  test.each([
    ['gap', {}],
    ['gradient-norm', { augment: {} as never }],
    ['uncertainty', {}],
  ] as const)(
    'that was cut off goes on where it was, weights of losses included: %s',
    async (rule, more) => {
      const given: Taught = {
        settings: { length: { epochs: 4 }, ...more },
        distill: { weighting: { rule } },
      };
      const whole = await taught(images, given);
      const kept = await testFolder();
      const stop = new AbortController();
      const metric = (record: Readonly<Record<string, unknown>>) => {
        if (record['at'] === 'train' && record['step'] === 6) stop.abort(new Error('crash'));
      };
      const cut = { kept, signal: stop.signal, metric };
      await expect(taught(images, { ...given, context: cut })).rejects.toThrow('crash');

      const again = await taught(images, { ...given, context: { kept } });

      expect(curve(again.told, 'step')[0]).toBeGreaterThan(1);
      expect(curve(again.told, 'lambda/logit-bce')).toEqual(
        curve(whole.told, 'lambda/logit-bce').slice(-curve(again.told, 'step').length),
      );
      expect(bytesOf(again).equals(bytesOf(whole))).toBe(true);
    },
  );
});

describe('signals', () => {
  test.each([
    [[{ kind: 'box-giou', weight: 1 }], ['boxes at strides 8, 16, 32']],
    [[{ kind: 'output-variance', weight: 1 }], ['b0', 'b1', 'b2', 'c0', 'c1', 'c2']],
    [[{ kind: 'output-mse', weight: 1, student: 'scores' }], ['scores']],
    [[{ kind: 'channel-wise', weight: 1, student: 'b0', teacher: 'c0' }], ['b0 ~ c0']],
    [[{ kind: 'attention-map', weight: 1, student: 'b0', teacher: 'c0' }], ['b0 ~ c0']],
  ] as const)('%j finds %j, and its loss falls', async (signals, pairs) => {
    const { told, signals: found } = await taught(bare, {
      settings: { ...length(20), lr: 0.003 },
      distill: { signals },
    });

    expect(found[0]!.pairs).toEqual(pairs);
    const losses = curve(told, found[0]!.name);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });

  test.each([
    [
      'a tensor that is not there',
      { kind: 'feature-mse', student: 'gone' },
      /'gone' is not in the student/,
    ],
    [
      'one that was pruned away',
      { kind: 'feature-mse', student: 'c0_flat' },
      /'c0_flat' was pruned away or renamed/,
    ],
    [
      'maps of other sizes',
      { kind: 'feature-mse', student: 'b0', teacher: 'b1' },
      /\[16,8,8\] in the student and \[16,4,4\].*not sizes/,
    ],
    [
      'widths that no adapter joins',
      { kind: 'output-mse', student: 'b0', teacher: 'c0' },
      /16 channels in the student and 3/,
    ],
    ['named boxes', { kind: 'box-giou', student: 'b0' }, /boxes are decoded from the head/],
  ] as const)('%s is refused', async (_, spec, why) => {
    const student = yolov8();
    if (spec.student === 'c0_flat')
      for (const v of student.graph.nodes.flatMap((n) => n.outputs))
        if (v?.name === 'c0_flat') v.name = 'other';
    const given = { student, distill: { signals: [{ weight: 1, ...spec }] } };

    await expect(taught(bare, given)).rejects.toMatchObject({
      code: 'SIGNAL_DOES_NOT_FIT',
      message: expect.stringMatching(why),
    });
  });

  test('certainty of places is refused where a signal has none', async () => {
    const distill = {
      signals: [{ kind: 'output-mse', weight: 1 }] as const,
      weighting: { rule: 'confidence' as const },
    };
    await expect(taught(images, { distill })).rejects.toMatchObject({
      code: 'SIGNAL_DOES_NOT_FIT',
    });
  });
});
