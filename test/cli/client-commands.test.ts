/** @file Commands that talk to a server, end to end: API, queue and worker as processes of their own. */

import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Value as Schema } from 'typebox/value';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { JobView } from '../../src/contract/job-view.ts';
import { Report } from '../../src/contract/report.ts';
import { type Api, Site } from '../chaos/site.ts';
import { digestOf } from '../helpers/digest.ts';
import { lathe } from '../helpers/lathe.ts';
import { colourFolder, tinyBytes } from '../workers/job/tiny.ts';

const KEY = 'a-key-of-more-than-sixteen-letters';
const ARTIFACTS = ['metrics.jsonl', 'model.onnx', 'report.html', 'report.json', 'stages'];

let site: Site;
let api: Api;
let locked: Api;
let model: string;
let data: string;

beforeAll(async () => {
  site = await Site.open();
  api = await site.api();
  locked = await site.api({ LATHE_API_KEYS: `team:${KEY}` });
  model = join(site.folder, 'colours.onnx');
  data = await colourFolder(join(site.folder, 'data'));
  await writeFile(model, tinyBytes());
});
afterAll(() => site.close());

const here = (...args: string[]) => lathe(args, { LATHE_URL: api.url });

async function specFile(spec: object): Promise<string> {
  const file = join(await mkdtemp(join(site.folder, 'spec-')), 'spec.json');
  await writeFile(file, JSON.stringify(spec));
  return file;
}
const quantize = { stages: [{ stage: 'quantize' }] };

test('a job that waits can be listed and cancelled; watch then exits with 5', async () => {
  const spec = await specFile({ ...quantize, labels: { team: 'wait' } });

  const { stdout } = await here('submit', spec, '--model', model, '--data', data);
  const id = stdout.trim();
  const listed = await here('jobs', '--label', 'team=wait', '--json');
  const cancelled = await here('cancel', id, '--json');
  const watched = await here('watch', id, '--json');

  expect(id).toMatch(/^job_[0-9a-f]{32}$/);
  const { items } = JSON.parse(listed.stdout) as { items: JobView[] };
  expect(items.map((j) => [j.id, j.status])).toEqual([[id, 'queued']]);
  expect(cancelled.code).toBe(0);
  expect(JSON.parse(cancelled.stdout)).toMatchObject({ id, status: 'cancelled' });
  expect(watched.code).toBe(5);
  expect(JSON.parse(watched.stdout)).toMatchObject({ id, status: 'cancelled' });
});

test('submit --wait --out follows the job, downloads every artifact whole and exits with 0', async () => {
  site.worker();
  const spec = await specFile({ ...quantize, accept: { minAgreement: 0 } });
  const out = join(site.folder, 'out');

  const args = [spec, '--model', model, '--data', data, '--wait', '--out', out, '--json'];
  const { code, stdout, stderr } = await here('submit', ...args);

  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/\d %/) });
  expect(JSON.parse(stdout)).toMatchObject({ status: 'succeeded', outcome: 'pass' });
  expect((await readdir(out)).toSorted()).toEqual(ARTIFACTS);
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
  expect([...Schema.Errors(Report, report)]).toEqual([]);
  const bytes = await readFile(join(out, 'model.onnx'));
  expect(report.output).toBe(digestOf(bytes));
  expect(report.command).toContain('/v1/jobs');
  expect(report.command).toContain(report.input);
});

test('a result that misses a limit exits with 4; watch and pull work on the finished job', async () => {
  const spec = await specFile({ ...quantize, accept: { maxBytes: 10 } });

  const sent = await here('submit', spec, '--model', model, '--data', data, '--wait');
  const id = /job_[0-9a-f]{32}/.exec(sent.stdout)![0];
  const watched = await here('watch', id);
  const out = join(site.folder, 'pulled');
  const pulled = await here('pull', id, '--out', out, '--json');

  expect(sent).toMatchObject({
    code: 4,
    stdout: expect.stringMatching(/rejected[\s\S]*✗ maxBytes/),
  });
  expect(watched.code).toBe(4);
  expect(pulled.code).toBe(0);
  expect((await readdir(out)).toSorted()).toEqual(ARTIFACTS);
  const { files } = JSON.parse(pulled.stdout) as { files: string[] };
  expect(files).toContain(join(out, 'model.onnx'));
});

test('model and data set may be paths in the spec, or ids of what was sent before', async () => {
  const paths = await specFile({ ...quantize, model, dataset: data });

  const first = await here('submit', paths, '--json');
  const view = JSON.parse(first.stdout) as JobView;
  const ids = await specFile({ ...quantize, model: view.model, dataset: view.dataset });
  const second = await here('submit', ids, '--wait', '--json');

  expect(second.code).toBe(0);
  expect(JSON.parse(second.stdout)).toMatchObject({ model: view.model, dataset: view.dataset });
});

test('a job that fails exits with 3 and says why', async () => {
  const spec = await specFile({ ...quantize, task: 'detect' });

  const { code, stdout } = await here('submit', spec, '--model', model, '--data', data, '--wait');

  expect({ code, stdout }).toMatchObject({
    code: 3,
    stdout: expect.stringContaining('TASK_DOES_NOT_FIT'),
  });
});

const refused: Record<string, [args: () => Promise<string[]>, says: RegExp]> = {
  'a model that was never sent': [
    async () => ['submit', await specFile({ ...quantize, model: `sha256:${'0'.repeat(64)}` })],
    /There is no model/,
  ],
  'a spec that is wrong, before anything is sent': [
    async () => ['submit', await specFile({ stages: [{ stage: 'quantise' }] }), '--model', model],
    /quantise[\s\S]*quantize/,
  ],
  'a file that is no model': [
    async () => ['submit', await specFile(quantize), '--model', join(data, 'val/red/0.png')],
    /not a readable ONNX model/,
  ],
  'a model file that is not there': [
    async () => ['submit', await specFile(quantize), '--model', 'nope.onnx'],
    /nope\.onnx' does not exist/,
  ],
  'a job that is not there': [async () => ['watch', 'job_0'], /job_0/],
  'artifacts of no job': [
    async () => ['pull', `job_${'0'.repeat(32)}`, '--out', join(site.folder, 'none')],
    /There is no job/,
  ],
  'a status that is none': [async () => ['jobs', '--status', 'done'], /status/],
  'a limit that is none': [async () => ['jobs', '--limit', 'x'], /--limit: 'x'/],
};

test.each(Object.entries(refused))('%s exits with 2', async (_, [args, says]) => {
  const { code, stdout, stderr } = await here(...(await args()), '--json');

  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(says) });
  expect(JSON.parse(stdout)).toMatchObject({ error: { detail: expect.stringMatching(says) } });
});

test.each([
  ['no key', {}, 6],
  ['a wrong key', { LATHE_API_KEY: 'wrong-wrong-wrong-wrong' }, 6],
  ['the right key', { LATHE_API_KEY: KEY }, 0],
])('a server that wants a key, given %s', async (_, key, expected) => {
  const { code } = await lathe(['jobs'], { LATHE_URL: locked.url, ...key });

  expect(code).toBe(expected);
});
