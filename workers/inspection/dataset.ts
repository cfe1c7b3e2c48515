/** @file What a data set holds, and whether every image can be read. */

import type { DatasetInfo } from '../../src/contract/inspection.ts';
import type { Dataset, Sample } from '../data/dataset.ts';
import { imageSize } from '../data/decode.ts';
import { openDataset } from '../data/open.ts';
import { mapParallel } from '../data/parallel.ts';

/** Unreadable images that are named one by one; the others are counted. */
const NAMED = 10;

export type FullDatasetInfo = DatasetInfo & {
  readonly labels: Readonly<Record<'train' | 'val' | 'test', number>>;
  /** Images whose header cannot be read, by name. */
  readonly unreadable: readonly string[];
};

/**
 * @param path data.yaml or folder @param confined an unpacked archive: nothing outside is read
 * @throws DATASET_INVALID · LABEL_INVALID
 */
export async function inspectDataset(path: string, confined = false): Promise<FullDatasetInfo> {
  const dataset = await openDataset(path, { confined });
  const unreadable = await unreadableImages(dataset);
  return {
    id: dataset.id as DatasetInfo['id'],
    task: dataset.task,
    classes: dataset.classes ? [...dataset.classes] : null,
    images: perSplit(dataset, (samples) => samples.length),
    labels: perSplit(dataset, countLabels),
    unreadable: unreadable.map(({ name }) => name),
    warnings: [...dataset.warnings, ...tell(unreadable)],
  };
}

function perSplit(dataset: Dataset, of: (samples: readonly Sample[]) => number) {
  const { train, val, test } = dataset.splits;
  return { train: of(train), val: of(val), test: of(test) };
}

const countLabels = (samples: readonly Sample[]) =>
  samples.reduce((n, s) => n + (s.boxes?.length ?? (s.label === undefined ? 0 : 1)), 0);

interface Unreadable {
  readonly name: string;
  readonly why: string;
}

async function unreadableImages({ splits }: Dataset): Promise<Unreadable[]> {
  const samples = [...splits.train, ...splits.val, ...splits.test];
  const found = await mapParallel(
    samples,
    4,
    async ({ file, name }): Promise<Unreadable | undefined> => {
      try {
        await imageSize(file, name);
        return undefined;
      } catch (error) {
        return { name, why: (error as Error).message };
      }
    },
  );
  return found.filter((u) => u !== undefined);
}

function tell(unreadable: readonly Unreadable[]): string[] {
  const lines = unreadable.slice(0, NAMED).map(({ why }) => why);
  const rest = unreadable.length - lines.length;
  return rest > 0 ? [...lines, `${rest} more images cannot be read.`] : lines;
}
