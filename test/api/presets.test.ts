/** @file Jobs that name a preset or a teacher, over HTTP, without a worker. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { PRESET_NAMES, PRESETS } from '../../src/contract/presets.ts';
import { writeModel } from '../../workers/onnx/write.ts';
import { tinyModel } from '../workers/job/tiny.ts';
import { BYTES, datasetFile, modelFile, openSite, type Site } from './site.ts';

let site: Site;
let model: string;
let teacher: string;
let dataset: string;

const uploadModel = async (bytes: Uint8Array) =>
  (await site.http.post('/v1/models').type(BYTES).send(Buffer.from(bytes))).body.id as string;

beforeAll(async () => {
  site = await openSite();
  model = await uploadModel(modelFile());
  teacher = await uploadModel(writeModel({ ...tinyModel(), doc: 'another' }));
  const sent = site.http.post('/v1/datasets').type('application/x-tar');
  dataset = (await sent.send(await datasetFile())).body.id;
});
afterAll(async () => {
  await site.close();
  expect(site.contract.broken).toEqual([]);
});

const submit = (spec: object, query: object = {}) =>
  site.http
    .post('/v1/jobs')
    .query(query)
    .send({ model, dataset, ...spec });

describe('presets', () => {
  test.each(PRESET_NAMES)('%s: the job view shows the stages it became', async (preset) => {
    const names = PRESETS[preset].stages.map(({ stage }) => stage);
    const plan = await submit({ preset, accept: { maxDrop: 0.01 } }, { dryRun: true });
    const job = await submit({ preset, accept: { maxDrop: 0.01 } });

    expect([plan.status, job.status], job.text).toEqual([200, 202]);
    expect(plan.body.spec.stages).toMatchObject(PRESETS[preset].stages);
    expect(job.body.stages.map(({ stage }: { stage: string }) => stage)).toEqual(names);
  });

  test('one beside stages is refused', async () => {
    const answer = await submit({ preset: 'fast', stages: [{ stage: 'simplify' }] });

    expect([answer.status, answer.body.code]).toEqual([422, 'SPEC_INVALID']);
    expect(answer.body.errors).toEqual([
      { pointer: '/preset', detail: expect.stringContaining('leave one of them out') },
    ]);
  });
});

describe('teachers', () => {
  const distill = (named: unknown) => ({
    stages: [{ stage: 'distill', teacher: named, steps: 1 }],
  });

  test.each([
    ['a path', 'teacher.onnx', 422, 'SPEC_INVALID', '/stages/0/teacher'],
    ['a later stage', 0, 422, 'SPEC_INVALID', '/stages/0/teacher'],
    ['an unknown model', `sha256:${'1'.repeat(64)}`, 404, 'MODEL_NOT_FOUND', undefined],
  ])('%s is refused', async (_, named, status, code, pointer) => {
    const answer = await submit(distill(named));

    expect([answer.status, answer.body.code, answer.body.errors?.[0]?.pointer]).toEqual([
      status,
      code,
      pointer,
    ]);
  });

  test.each([
    ['of the stage', (named: string) => distill(named)],
    [
      'between rounds of pruning',
      (named: string) => ({
        stages: [{ stage: 'prune', target: { macs: 0.5 }, distill: { teacher: named, steps: 1 } }],
      }),
    ],
  ])('one %s cannot be deleted while the job needs it', async (_, spec) => {
    const job = await submit(spec(teacher));
    const kept = await site.http.delete(`/v1/models/${teacher}`);
    await site.http.post(`/v1/jobs/${job.body.id}/cancel`);

    expect([job.status, kept.status, kept.body.code], job.text).toEqual([202, 409, 'MODEL_IN_USE']);
    expect(kept.body.detail).toContain(job.body.id);
  });
});
