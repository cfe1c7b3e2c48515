/** @file Pictures for the report: a few val images with what each model says of them. */

import sharp from 'sharp';

import type { Report } from '../../src/contract/report.ts';
import type { Sample } from '../data/dataset.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { ImagePrediction, Prediction, TaskBinding } from '../tasks/task.ts';
import type { Measuring } from './measure.ts';
import type { ModelFile } from './model-file.ts';

type SampleImage = NonNullable<Report['samples']>[number];

const IMAGES = 6;
/** Pixels of the longer side, and JPEG quality: small enough to sit inside a report. */
const SIDE = 480;
const QUALITY = 72;
/** Detections below this score are not drawn. */
const LEAST_SCORE = 0.25;
const TOP = 5;

export interface Judged {
  readonly file: ModelFile;
  readonly binding: TaskBinding;
}

/** Both models see the same images, drawn evenly from val. None for models that say nothing that can be drawn. */
export async function sampleImages(
  before: Judged,
  after: Judged,
  measuring: Measuring,
): Promise<SampleImage[]> {
  const { input, task } = before.binding;
  const chosen = spread(measuring.dataset?.splits.val ?? []);
  if (!input || task === 'generic' || chosen.length === 0) return [];
  const { threads, provider, signal } = measuring;
  const see = async ({ file, binding }: Judged) =>
    (await evaluate(file.bytes, binding, chosen, { threads, provider, signal })).predictions;
  const [was, is] = [await see(before), await see(after)];
  return Promise.all(was.map((prediction, i) => picture(prediction, is[i]!, before.binding)));
}

/** Evenly over the list, in its order. */
function spread(samples: readonly Sample[]): readonly Sample[] {
  const count = Math.min(IMAGES, samples.length);
  return Array.from(
    { length: count },
    (_, i) => samples[Math.floor((i * samples.length) / count)]!,
  );
}

async function picture(
  before: ImagePrediction,
  after: ImagePrediction,
  { classes }: TaskBinding,
): Promise<SampleImage> {
  const { sample, width, height } = before;
  const jpeg = await sharp(sample.file)
    .rotate() // as its EXIF says: boxes are in the upright image
    .resize({ width: SIDE, height: SIDE, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#fff' })
    .jpeg({ quality: QUALITY })
    .toBuffer();
  return {
    image: sample.name,
    width,
    height,
    jpeg: jpeg.toString('base64'),
    before: shown(before.prediction, classes),
    after: shown(after.prediction, classes),
  };
}

/** Boxes `{class, name, score, x, y, width, height}` in the original's pixels, or the best classes `{class, name, score}`. */
function shown(prediction: Prediction, classes: readonly string[] | undefined): unknown[] {
  const named = <T extends { class: number }>(item: T) => ({
    ...item,
    name: classes?.[item.class] ?? String(item.class),
  });
  if (prediction.kind === 'boxes')
    return prediction.boxes.filter(({ score }) => score >= LEAST_SCORE).map(named);
  if (prediction.kind !== 'classes') return [];
  return Array.from(prediction.scores, (score, i) => named({ class: i, score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, TOP);
}
