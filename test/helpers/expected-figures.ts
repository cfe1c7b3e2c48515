/** @file The evaluation figures that the shared data states for its models, made with pycocotools. */

import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'vitest';

import { openDataset } from '../../workers/data/open.ts';
import { evaluate } from '../../workers/evaluation/evaluate.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { SharedData } from './shared-data.ts';

interface Figures {
  readonly images: number;
  readonly mAP50: number;
  readonly mAP50_95: number;
  readonly perClass: Readonly<Record<string, { readonly AP50: number; readonly AP50_95: number }>>;
}

export interface Stated extends Figures {
  readonly model: string;
  readonly bytes: number;
  readonly data: string;
  readonly split: 'val' | 'test';
}

/** `val` and `test` are splits of the model's data set, `sample_val` and `sample_test` those of its `-sample`. */
export function statedFigures(data: SharedData | undefined): Stated[] {
  return (data?.models ?? []).flatMap((model) => {
    if (model.expected === undefined) return [];
    const document = JSON.parse(readFileSync(model.expected, 'utf8')) as {
      models: Record<string, Record<string, Figures>>;
    };
    const own = document.models[basename(model.file)] ?? {};
    return Object.entries(own).flatMap(([key, figures]): Stated[] => {
      const found = /^(sample_)?(val|test)$/.exec(key);
      const name = found?.[1] ? `${model.dataset}-sample` : model.dataset;
      const set = data!.datasets.find((d) => d.name === name);
      if (!found || !set) return [];
      const split = found[2] as 'val' | 'test';
      const { path } = model;
      return [{ ...figures, model: path, bytes: statSync(path).size, data: set.path, split }];
    });
  });
}

/** Within 0.0005, overall and in every class. */
export async function expectFigures(stated: Stated): Promise<void> {
  const bytes = readFileSync(stated.model);
  const dataset = await openDataset(stated.data);
  const binding = bindTask(readModel(bytes), { classes: dataset.classes });

  const { metrics, perClass, images } = await evaluate(
    bytes,
    binding,
    dataset.splits[stated.split],
  );

  const close = (found: number | null | undefined, expected: number, what: string) =>
    expect(Math.abs((found ?? Number.NaN) - expected), what).toBeLessThan(5e-4);
  expect(images).toBe(stated.images);
  close(metrics['map50'], stated.mAP50, 'mAP50');
  close(metrics['map50_95'], stated.mAP50_95, 'mAP50-95');
  for (const [name, { AP50, AP50_95 }] of Object.entries(stated.perClass)) {
    const own = perClass!.find((c) => c.name === name)!.metrics;
    close(own['map50'], AP50, `AP50 of ${name}`);
    close(own['map50_95'], AP50_95, `AP50-95 of ${name}`);
  }
}
