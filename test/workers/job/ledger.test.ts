/** @file The budget of a job: shared out among stages, and a stage that spends too much is undone. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Dataset } from '../../../workers/data/dataset.ts';
import { openDataset } from '../../../workers/data/open.ts';
import { Ledger } from '../../../workers/jobs/ledger.ts';
import { modelFile } from '../../../workers/jobs/model-file.ts';
import type { PlannedStage } from '../../../workers/jobs/plan.ts';
import { Tensor } from '../../../workers/onnx/tensor.ts';
import { floatsOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { STAGES } from '../../../workers/stages/registry.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { colourFolder, tinyModel } from './tiny.ts';

let dataset: Dataset;
beforeAll(async () => {
  dataset = await openDataset(
    await colourFolder(await mkdtemp(join(tmpdir(), 'lathe-ledger-')), 15),
  );
});

/** The tiny classifier, which is right about every image; with `wrong` it takes all for the first colour. */
function standing(wrong = false) {
  const model = tinyModel();
  const last = model.graph.initializers.find((v) => v.name === 'w2')!;
  if (wrong) {
    const floats = Float32Array.from(floatsOf(last.constant!), (x, i) => (i < 8 ? 9 + x : 0));
    last.constant = Tensor.float32(last.constant!.dims, floats);
  }
  return { file: modelFile(writeModel(model)), binding: bindTask(model) };
}

const planOf = (...names: (keyof typeof STAGES)[]): PlannedStage[] =>
  names.map((name, index) => ({ index, name, stage: STAGES[name], options: {} }));

const measuring = () => ({
  dataset,
  threads: 1,
  latencyThreads: 1,
  provider: 'cpu',
  signal: new AbortController().signal,
});

const open = (plan: PlannedStage[], maxDrop: number | undefined) =>
  Ledger.open(plan, maxDrop, standing(), measuring(), 0);

/** Enter results one after the other. @param wrong per stage @returns where each went on from */
async function entered(names: (keyof typeof STAGES)[], wrong: boolean[], maxDrop = 0.1) {
  const plan = planOf(...names);
  const ledger = (await open(plan, maxDrop))!;
  const backs: (number | undefined)[] = [];
  for (const [i, planned] of plan.entries())
    backs.push(await ledger.enter(planned, standing(wrong[i]), () => {}));
  return { ledger, backs, ...ledger.report() };
}

describe('the ledger', () => {
  test.each([
    ['without maxDrop', ['simplify', 'prune'], undefined],
    ['of a single stage', ['prune'], 0.1],
  ] as const)('%s there is none', async (_, names, maxDrop) => {
    expect(await open(planOf(...names), maxDrop)).toBeUndefined();
  });

  test('an equal part of what is left is for each stage to come that spends', async () => {
    const plan = planOf('simplify', 'prune', 'distill', 'quantize');
    const ledger = (await open(plan, 0.1))!;

    expect(plan.map((p) => ledger.budgetFor(p).maxDrop)).toEqual([0.05, 0.05, 0.1, 0.1]);
    expect(ledger.budgetFor(plan[0]!).whole).toBe(1);
  });

  test('what may be luck of few images is not missing from the budget of stages to come', async () => {
    const plan = planOf('prune', 'quantize');
    const ledger = (await open(plan, 0.6))!;

    expect(await ledger.enter(plan[0]!, standing(true), () => {})).toBeUndefined();

    const { spent, left } = ledger.report().entries[0]!;
    expect(spent).toBeGreaterThan(0.6);
    expect(left).toBeLessThan(0);
    // Twice the standard deviation of a share of two thirds, among nine or so images.
    const maxDrop = ledger.budgetFor(plan[1]!).maxDrop!;
    expect(maxDrop - left).toBeGreaterThan(0.1);
    expect(maxDrop).toBeLessThan(0.6);
  });

  test('a stage that overspends is undone: the job goes on from the last that did not', async () => {
    const { backs, entries, ledger, ...facts } = await entered(
      ['prune', 'distill', 'quantize'],
      [false, false, true],
    );

    expect(facts).toMatchObject({ metric: 'top1', maxDrop: 0.1, before: 1 });
    expect(backs).toEqual([undefined, undefined, 1]);
    expect(entries[2]).toMatchObject({ stage: 'quantize', before: 1, steppedBackTo: 1 });
    expect(entries[2]!.spent).toBeGreaterThan(0.3);
    expect(entries[2]!.left).toBeCloseTo(0.1 - entries[2]!.spent, 9);
    expect([...ledger.undone]).toEqual([2]);
  });

  test('a stage that is followed by training may overspend: it is judged together with that', async () => {
    const { backs, entries } = await entered(['prune', 'prune', 'distill'], [false, true, false]);

    expect(backs).toEqual([undefined, undefined, undefined]);
    expect(entries.map((e) => e.spent > 0)).toEqual([false, true, false]);
    expect(entries[2]!.spent).toBeLessThan(0);
  });

  test('training that does not win it back is undone with the stage before it', async () => {
    const { backs, ledger } = await entered(['prune', 'prune', 'distill'], [false, true, true]);

    expect(backs).toEqual([undefined, undefined, 0]);
    expect([...ledger.undone]).toEqual([1, 2]);
  });

  test.each([
    [
      'its input',
      ['prune', 'distill', 'quantize'],
      [true, true, false],
      [undefined, -1, undefined],
    ],
    [
      'what spent nothing',
      ['simplify', 'prune', 'distill', 'quantize'],
      [false, true, true, false],
      [undefined, undefined, 0, undefined],
    ],
  ] as const)(
    'where a stage to come spends, a job goes on from %s',
    async (_, names, wrong, from) => {
      const { backs } = await entered([...names], [...wrong]);

      expect(backs).toEqual(from);
    },
  );

  test('without an earlier result that spent anything, and no stage to come, the last one stays, and is for acceptance to judge', async () => {
    const { backs } = await entered(['simplify', 'quantize'], [false, true]);

    expect(backs).toEqual([undefined, undefined]);
  });
});
