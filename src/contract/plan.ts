/** @file From a raw job spec to a planned one: everything checked that needs no model, every default filled in. */

import { ServiceError } from './errors.ts';
import { isInstant, noInstant } from './instant.ts';
import { JobRequest, JobSpec, MOST_STAGES, type StageSpec } from './job.ts';
import { nearest } from './nearest.ts';
import { PRESET_NAMES, PRESETS, type PresetName } from './presets.ts';
import type { FieldError } from './problem.ts';
import { schemaErrors, validator, withDefaults } from './schema-errors.ts';
import type { PublishedStage, StageDocument } from './stage-document.ts';
import { teachersIn } from './teachers.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Validate a spec against the published schemas and fill in the defaults of job and stages.
 *
 * @param document which stages there are: openapi/stages.json
 * @throws SPEC_INVALID every fault, each with a JSON Pointer and what would be valid
 */
export function planJob(spec: unknown, document: StageDocument): JobSpec {
  const errors = [...schemaErrors(JobRequest, spec), ...neitherOrBoth(spec), ...noSuchTime(spec)];
  const given = stagesOf(spec);
  // More than may be are one fault already.
  const stages = given
    .slice(0, MOST_STAGES)
    .map((stage, index) => planStage(stage, index, document, errors));
  errors.push(...laterTeachers(stages));
  if (errors.length > 0) throw new ServiceError('SPEC_INVALID', { errors });
  const { preset: _, ...rest } = spec as JobSpec & { preset?: PresetName };
  return { ...withDefaults(JobSpec, { seed: 0, latency: {}, ...rest, stages }), stages };
}

/**
 * Make ready what planning needs. The first job of each stage would wait for it otherwise, and with it everybody else: some hundred
 * milliseconds each.
 */
export function prepareToPlan(document: StageDocument): void {
  const stages = Object.keys(document.stages).map((stage) => ({ stage }));
  // What it makes of the specs does not matter: stages of their own may lack an option.
  schemaErrors(JobRequest, {});
  withDefaults(JobSpec, { stages });
  for (const { stage } of stages) planStage({ stage }, 0, document, []);
  for (const { needsImages } of Object.values(document.stages))
    if (needsImages) validator(needsImages);
}

/** As written, or as the preset has them. */
function stagesOf(spec: unknown): readonly unknown[] {
  if (!isObject(spec)) return [];
  const { stages, preset } = spec;
  if (Array.isArray(stages)) return stages;
  const named = typeof preset === 'string' && Object.hasOwn(PRESETS, preset);
  return named ? PRESETS[preset as PresetName].stages : [];
}

function neitherOrBoth(spec: unknown): FieldError[] {
  if (!isObject(spec)) return [];
  const [stages, preset] = [spec['stages'] !== undefined, spec['preset'] !== undefined];
  if (stages && preset)
    return [{ pointer: '/preset', detail: "stands beside 'stages': leave one of them out" }];
  if (stages || preset) return [];
  const presets = PRESET_NAMES.join(', ');
  return [{ pointer: '/stages', detail: `is required, or 'preset': one of ${presets}` }];
}

/** What does not even have the form of a time is a fault of the schema already. */
function noSuchTime(spec: unknown): FieldError[] {
  const at = isObject(spec) ? spec['expiresAt'] : undefined;
  if (typeof at !== 'string' || !/^\d{4}-/.test(at) || isInstant(at)) return [];
  return [{ pointer: '/expiresAt', detail: noInstant(at) }];
}

/** A stage learns from what is made before it. */
const laterTeachers = (stages: readonly StageSpec[]): FieldError[] =>
  teachersIn(stages)
    .filter(({ teacher, index }) => typeof teacher === 'number' && teacher >= index)
    .map(({ teacher, index, pointer }) => ({
      pointer,
      detail: `is ${teacher}; valid are "input"${index === 0 ? '' : `, 0 to ${index - 1} (earlier stages)`} or a model`,
    }));

/** Checks one stage; faults go to `errors`, those of its outer shape are there already. */
function planStage(
  given: unknown,
  index: number,
  document: StageDocument,
  errors: FieldError[],
): StageSpec {
  const at = `/stages/${index}`;
  if (!isObject(given) || typeof given['stage'] !== 'string') return { stage: '' };
  const { stage, ...options } = given as StageSpec & Record<string, unknown>;
  const published = publishedStage(stage, document);
  if (!published) {
    errors.push({ pointer: `${at}/stage`, detail: unknownStage(stage, document) });
    return { stage };
  }
  const filled = withDefaults(published.options, options);
  errors.push(...schemaErrors(published.options, filled, at));
  return { stage, ...filled };
}

const publishedStage = (stage: string, { stages }: StageDocument): PublishedStage | undefined =>
  Object.hasOwn(stages, stage) ? stages[stage] : undefined;

function unknownStage(stage: string, { stages }: StageDocument): string {
  const valid = Object.keys(stages);
  const near = nearest(stage, valid);
  return `is ${JSON.stringify(stage)}, which names no stage; valid are ${valid.join(', ')}${near ? `: did you mean '${near}'?` : ''}`;
}

export interface ImageNeed {
  readonly split: 'train' | 'val';
  /** Who needs it: a stage or a limit. */
  readonly what: string;
  readonly why: string;
  readonly pointer: string;
}

/** The splits that a planned job cannot do without, and why. */
export function imageNeeds(spec: JobSpec, document: StageDocument): ImageNeed[] {
  const needs: ImageNeed[] = [];
  for (const [index, { stage, ...options }] of spec.stages.entries()) {
    const schema = publishedStage(stage, document)?.needsImages;
    if (!schema || !validator(schema)(options)) continue;
    const why = 'it works on images of the train split';
    needs.push({ split: 'train', what: `Stage '${stage}'`, why, pointer: `/stages/${index}` });
  }
  for (const limit of ['maxDrop', 'minAgreement'] as const) {
    if (spec.accept?.[limit] === undefined) continue;
    const why = 'it is measured on images of the val split';
    needs.push({ split: 'val', what: `The limit '${limit}'`, why, pointer: `/accept/${limit}` });
  }
  return needs;
}

/**
 * @param images what the job's data set holds; undefined: the job names none
 * @throws DATASET_REQUIRED · SPLIT_MISSING
 */
export function checkImages(
  spec: JobSpec,
  document: StageDocument,
  images: Readonly<Record<'train' | 'val' | 'test', number>> | undefined,
): void {
  for (const { split, what, why, pointer } of imageNeeds(spec, document)) {
    if (!images)
      throw new ServiceError('DATASET_REQUIRED', {
        what,
        why,
        errors: [{ pointer, detail: 'needs a data set' }],
      });
    if (images[split] > 0) continue;
    const has = `${images.train} in train, ${images.val} in val, ${images.test} in test`;
    throw new ServiceError('SPLIT_MISSING', { split, what, has });
  }
}
