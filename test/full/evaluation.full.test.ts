/** @file Evaluation figures: every model with stated ones, and every detector of the shared data. */

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect, test } from 'vitest';

import { openDataset } from '../../workers/data/open.ts';
import { evaluate } from '../../workers/evaluation/evaluate.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import { expectFigures, statedFigures } from '../helpers/expected-figures.ts';
import { NO_SHARED_DATA, sharedData } from '../helpers/shared-data.ts';

const data = sharedData();
if (data === undefined) test.skip(`evaluation: ${NO_SHARED_DATA}`, () => {});

test.each(
  statedFigures(data).map((s) => [basename(s.model), basename(s.data), s.split, s] as const),
)('%s on %s, %s: equal to pycocotools', async (_, __, ___, stated) => expectFigures(stated));

const detectors = (data?.models ?? []).filter((m) => m.task === 'detect' && !m.expected);

/** A detector that is read rightly finds much; one whose boxes or classes are misread finds nearly nothing. */
test.each(detectors.map((m) => [basename(m.file), m] as const))(
  '%s is read rightly',
  async (_, m) => {
    const bytes = await readFile(m.path);
    const dataset = await openDataset(data!.datasets.find((d) => d.name === m.dataset)!.path);
    const binding = bindTask(readModel(bytes), { classes: dataset.classes });

    const { metrics, warnings } = await evaluate(bytes, binding, dataset.splits.val, {
      threads: 2,
    });

    expect(binding.task).toBe('detect');
    expect(binding.inputSize).toEqual([m.size, m.size]);
    expect(binding.preprocess).toMatchObject(m.preprocess ?? {});
    if (m.broken === undefined) {
      expect(warnings).toEqual([]);
      expect(metrics['map50_95']).toBeGreaterThan(0.3);
    } else {
      expect(warnings.join()).toContain('the scores are broken');
      expect(metrics['map50_95']).toBeLessThan(0.01);
    }
  },
  300_000,
);
