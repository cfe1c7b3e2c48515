/** @file Planning a raw spec: defaults, pointers, valid values, needs. */

import { expect, test } from 'vitest';

import type { ServiceError } from '../../../src/contract/errors.ts';
import { checkImages, imageNeeds, planJob } from '../../../src/contract/plan.ts';
import { PRESET_NAMES, PRESETS } from '../../../src/contract/presets.ts';
import { readStageDocument, type StageDocument } from '../../../src/contract/stage-document.ts';

const DOCUMENT: StageDocument = {
  stages: {
    simplify: {
      version: 1,
      summary: '',
      options: { type: 'object', properties: {}, additionalProperties: false },
    },
    quantize: {
      version: 1,
      summary: '',
      needsImages: {},
      options: {
        type: 'object',
        properties: {
          precision: { enum: ['int8'], default: 'int8' },
          calibrator: { enum: ['auto', 'minmax', 'mse'], default: 'auto' },
          images: { type: 'integer', minimum: 1, default: 128 },
          nested: {
            type: 'object',
            default: {},
            properties: { deep: { type: 'number', default: 0.5 } },
            additionalProperties: false,
          },
          reduceRange: { anyOf: [{ const: 'auto' }, { type: 'boolean' }], default: 'auto' },
        },
        additionalProperties: false,
      },
    },
  },
};

const failure = (
  spec: unknown,
): { code: string; errors: { pointer: string; detail: string }[] } => {
  try {
    planJob(spec, DOCUMENT);
  } catch (error) {
    const { code, facts } = error as ServiceError;
    return { code, errors: (facts as { errors: [] }).errors };
  }
  throw new Error('it was accepted');
};

test('defaults of the job and of each stage are filled in, deep ones too; what was given stays', () => {
  const given = { stages: [{ stage: 'quantize', images: 3 }], seed: 7 };

  const spec = planJob(given, DOCUMENT);

  expect(spec).toEqual({
    seed: 7,
    latency: { threads: 1 },
    stages: [
      {
        stage: 'quantize',
        precision: 'int8',
        calibrator: 'auto',
        images: 3,
        nested: { deep: 0.5 },
        reduceRange: 'auto',
      },
    ],
  });
  expect(given).toEqual({ stages: [{ stage: 'quantize', images: 3 }], seed: 7 });
});

const stage = (options: object) => ({ stages: [{ stage: 'quantize', ...options }] });

test.each([
  [
    'a field',
    { stages: [], acept: {} },
    '/acept',
    /did you mean 'accept'\?.*valid are model, dataset/,
  ],
  [
    'a stage',
    { stages: [{ stage: 'quantise' }] },
    '/stages/0/stage',
    /valid are simplify, quantize: did you mean 'quantize'\?/,
  ],
  [
    'a name of every object',
    { stages: [{ stage: 'constructor' }] },
    '/stages/0/stage',
    /names no stage/,
  ],
  ['an option', stage({ calibratr: 1 }), '/stages/0/calibratr', /did you mean 'calibrator'/],
  [
    'a value',
    stage({ calibrator: 'minmx' }),
    '/stages/0/calibrator',
    /"auto", "minmax", "mse": did you mean 'minmax'\?/,
  ],
  ['a type', stage({ images: '3' }), '/stages/0/images', /is "3"; valid is an integer ≥ 1/],
  ['a bound', stage({ images: 0 }), '/stages/0/images', /is 0; valid is an integer ≥ 1/],
  ['a union', stage({ reduceRange: 3 }), '/stages/0/reduceRange', /valid is "auto" or a boolean/],
  ['something deep', stage({ nested: { deep: 'x' } }), '/stages/0/nested/deep', /a number/],
  ['a name with a slash', stage({ 'a/b~': 1 }), '/stages/0/a~1b~0', /not a known field/],
  [
    'a day',
    { stages: [], expiresAt: '2026-13-01T00:00:00Z' },
    '/expiresAt',
    /there is no such time/,
  ],
  ['no stage name', { stages: [{}] }, '/stages/0/stage', /is required/],
  ['no stages at all', {}, '/stages', /is required/],
  ['no object', [], '', /valid is an object/],
])('%s that is wrong is pointed at, with what would be valid', (_, spec, pointer, detail) => {
  const { code, errors } = failure(spec);

  expect(code).toBe('SPEC_INVALID');
  expect(errors.find((e) => e.pointer === pointer)?.detail, JSON.stringify(errors)).toMatch(detail);
});

test('all faults are told at once', () => {
  const spec = { ...stage({ images: 0, calibrator: 'x' }), seed: -1, task: 'detct' };

  const pointers = failure(spec).errors.map(({ pointer }) => pointer);

  expect(pointers.sort()).toEqual(['/seed', '/stages/0/calibrator', '/stages/0/images', '/task']);
});

test.each(PRESET_NAMES)(
  'preset %s becomes stages with every default, which plan to themselves',
  (preset) => {
    const document = readStageDocument();
    const { stages, ...rest } = planJob({ preset }, document);

    expect(stages.map(({ stage }) => stage)).toEqual(
      PRESETS[preset].stages.map(({ stage }) => stage),
    );
    expect(rest).not.toHaveProperty('preset');
    expect(planJob({ stages }, document).stages).toEqual(stages);
    for (const [i, given] of PRESETS[preset].stages.entries()) {
      expect(stages[i]).toMatchObject(given);
      expect(Object.keys(stages[i]!).length).toBeGreaterThan(Object.keys(given).length);
    }
  },
);

test.each([
  ['both', { preset: 'fast', stages: [{ stage: 'simplify' }] }, '/preset', /leave one of them out/],
  ['neither', {}, '/stages', /or 'preset': one of fast, balanced, smallest, fastest/],
  ['a misspelt one', { preset: 'fastst' }, '/preset', /did you mean 'fastest'/],
])('stages and preset: %s', (_, spec, pointer, detail) => {
  const { code, errors } = failure(spec);
  expect(code).toBe('SPEC_INVALID');
  expect(errors.find((e) => e.pointer === pointer)?.detail, JSON.stringify(errors)).toMatch(detail);
});

test.each([
  [
    'itself',
    [{ stage: 'distill', teacher: 0 }],
    '/stages/0/teacher',
    /is 0; valid are "input" or a model/,
  ],
  [
    'a later one',
    [{ stage: 'simplify' }, { stage: 'distill', teacher: 1 }],
    '/stages/1/teacher',
    /is 1; valid are "input", 0 to 0 \(earlier stages\)/,
  ],
])('a teacher that is %s is pointed at', (_, stages, pointer, detail) => {
  expect(() => planJob({ stages }, readStageDocument())).toThrow(
    expect.objectContaining({
      facts: { errors: [{ pointer, detail: expect.stringMatching(detail) }] },
    }),
  );
});

test('needs for images: by stages and by limits on accuracy', () => {
  const spec = (change: object) =>
    planJob({ stages: [{ stage: 'simplify' }], ...change }, DOCUMENT);
  const splits = (change: object) => imageNeeds(spec(change), DOCUMENT).map((n) => n.split);
  const images = { train: 0, val: 3, test: 0 };

  expect(splits({})).toEqual([]);
  expect(splits({ accept: { maxBytes: 1, minSpeedup: 1, maxLatencyMs: 1 } })).toEqual([]);
  expect(splits({ accept: { maxDrop: 0, minAgreement: 1 } })).toEqual(['val', 'val']);
  expect(splits(stage({}))).toEqual(['train']);
  expect(() => checkImages(spec(stage({})), DOCUMENT, undefined)).toThrow(/Stage 'quantize' needs/);
  expect(() => checkImages(spec(stage({})), DOCUMENT, images)).toThrow(/0 in train, 3 in val/);
  expect(() => checkImages(spec({ accept: { maxDrop: 0 } }), DOCUMENT, images)).not.toThrow();
});
