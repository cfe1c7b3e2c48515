/** @file Commands that need no server, end to end: what they print, where, and how they exit. */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Value as Schema } from 'typebox/value';
import { expect, test } from 'vitest';

import { Report } from '../../src/contract/report.ts';
import { testFolder } from '../helpers/image-folder.ts';
import { lathe } from '../helpers/lathe.ts';
import { colourFolder, tinyBytes } from '../workers/job/tiny.ts';

interface Place {
  readonly root: string;
  readonly model: string;
  readonly data: string;
  readonly spec: string;
  readonly out: string;
}

async function place(spec: object = { stages: [{ stage: 'quantize' }] }): Promise<Place> {
  const root = await testFolder();
  const at = {
    root,
    model: join(root, 'colours.onnx'),
    spec: join(root, 'spec.json'),
    out: join(root, 'out'),
  };
  await writeFile(at.model, tinyBytes());
  await writeFile(at.spec, JSON.stringify(spec));
  await writeFile(join(root, 'list.json'), '[1]');
  await writeFile(
    join(root, 'id.json'),
    JSON.stringify({ model: `sha256:${'0'.repeat(64)}`, stages: [{ stage: 'simplify' }] }),
  );
  return { ...at, data: await colourFolder(join(root, 'data')) };
}

const run = ({ spec, model, data, out }: Place, ...more: string[]) =>
  lathe(['run', spec, '--model', model, '--data', data, '--out', out, ...more]);

test('run writes model, report, metrics and stages, and prints the report as JSON', async () => {
  const at = await place();

  const { code, stdout } = await run(at, '--json');

  const report = JSON.parse(stdout) as Report;
  expect(code).toBe(0);
  expect([...Schema.Errors(Report, report)]).toEqual([]);
  expect(JSON.parse(await readFile(join(at.out, 'report.json'), 'utf8'))).toEqual(report);
  expect(await readdir(at.out)).toEqual([
    'metrics.jsonl',
    'model.onnx',
    'report.html',
    'report.json',
    'stages',
  ]);
  expect(report.command).toContain('lathe run');
});

test('run exits with 4 when the result misses a limit, and says which', async () => {
  const at = await place({ stages: [{ stage: 'quantize' }], accept: { maxBytes: 10 } });

  const { code, stdout } = await run(at);

  expect(code).toBe(4);
  expect(stdout).toMatch(/✗ maxBytes 10/);
  expect(await readdir(at.out)).toContain('model.onnx');
});

test('a second run in the same folder resumes; a foreign folder is refused and left alone', async () => {
  const at = await place();
  await run(at);

  const again = await run(at, '--json');
  const foreign = join(at.root, 'mine');
  await mkdir(foreign);
  await writeFile(join(foreign, 'notes.txt'), 'mine');
  const refused = await run({ ...at, out: foreign });

  expect((JSON.parse(again.stdout) as Report).stages[0]!.resumed).toBe(true);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('notes.txt') });
  expect(await readdir(foreign)).toEqual(['notes.txt']);
});

test('the spec may name model and data set by paths relative to itself', async () => {
  const at = await place({
    model: 'colours.onnx',
    dataset: 'data',
    stages: [{ stage: 'quantize' }],
  });

  const { code } = await lathe(['run', at.spec, '--out', at.out]);

  expect(code).toBe(0);
});

const wrong: Record<string, [args: (p: Place) => string[], says: RegExp]> = {
  'an unknown command': [() => ['inspekt'], /unknown command 'inspekt'[\s\S]*inspect/],
  'an unknown option': [
    (p) => ['inspect', p.model, '--jsn'],
    /unknown option '--jsn'[\s\S]*--json/,
  ],
  'a missing argument': [() => ['inspect'], /missing required argument 'model'/],
  'a file that is not there': [
    (p) => ['inspect', join(p.root, 'nope.onnx')],
    /nope\.onnx' does not exist/,
  ],
  'a file that is no model': [(p) => ['inspect', p.spec], /not a readable ONNX model/],
  'a spec that is no JSON': [(p) => ['check', p.model], /is not JSON/],
  'a data set that is not there': [
    (p) => ['evaluate', p.model, '--data', join(p.root, 'void')],
    /void/,
  ],
  'a split that is none': [
    (p) => ['evaluate', p.model, '--data', p.data, '--split', 'dev'],
    /train, val, test/,
  ],
  'a split without images': [
    (p) => ['evaluate', p.model, '--data', p.data, '--split', 'test'],
    /has no images/,
  ],
  'a task that does not fit': [
    (p) => ['evaluate', p.model, '--data', p.data, '--task', 'detect'],
    /does not fit the task 'detect'/,
  ],
  'an output folder that is a file': [
    (p) => ['run', p.spec, '--model', p.model, '--data', p.data, '--out', p.model],
    /colours\.onnx' is a file, not a folder/,
  ],
  'a spec that is a list': [
    (p) => ['check', join(p.root, 'list.json'), '--model', p.model],
    /holds a list, not a job spec/,
  ],
  'a model named by id though there is no server': [
    (p) => ['check', join(p.root, 'id.json')],
    /names a file on a server; here give --model/,
  ],
  'neither model nor path': [(p) => ['check', p.spec], /No model: give --model/],
  'preprocessing that is no JSON': [
    (p) => ['evaluate', p.model, '--data', p.data, '--preprocess', 'bgr'],
    /--preprocess: 'bgr' is not JSON/,
  ],
  'preprocessing with a misspelt part': [
    (p) => ['evaluate', p.model, '--data', p.data, '--preprocess', '{"chanels":"bgr"}'],
    /--preprocess: \/chanels is not a known field.*channels/,
  ],
  'a provider that is none': [
    (p) => ['bench', p.model, '--provider', 'gpu'],
    /--provider: 'gpu' is none of .*cuda/,
  ],
  'pairs that are no number': [(p) => ['bench', p.model, '--pairs', 'many'], /--pairs: 'many'/],
  'a check that is none': [() => ['doctor', 'disc'], /'disc' is not a check; valid are .*disk/],
  'no threads': [(p) => ['bench', p.model, '--threads', '0'], /--threads: '0'/],
  'no data set though a stage needs one': [
    (p) => ['check', p.spec, '--model', p.model],
    /needs a data set/,
  ],
};

test.each(Object.entries(wrong))(
  '%s: exit 2 and one clear sentence, as JSON too',
  async (_, [args, says]) => {
    const at = await place();

    const [plain, json] = await Promise.all([lathe(args(at)), lathe([...args(at), '--json'])]);

    expect(plain).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
    expect(plain.stderr).not.toMatch(/\n\s+at /);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: { code: expect.any(String), detail: expect.stringMatching(says) },
    });
  },
);

test('a misspelt option of a stage is refused with its place and the nearest name', async () => {
  const at = await place({ stages: [{ stage: 'quantize', calibratr: 'mse' }] });

  const { code, stderr } = await run(at);

  expect(code).toBe(2);
  expect(stderr).toMatch(/\/stages\/0\/calibratr[\s\S]*calibrator/);
});

test('inspect, evaluate, bench and check agree on the model', async () => {
  const at = await place();
  const json = async (...args: string[]) => JSON.parse((await lathe([...args, '--json'])).stdout);

  const info = await json('inspect', at.model);
  const own = await json('evaluate', at.model, '--data', at.data, '--against', at.model);
  const timed = await json('bench', at.model, at.model, '--pairs', '5');
  const plan = await json('check', at.spec, '--model', at.model, '--data', at.data);

  expect(info).toMatchObject({
    task: 'classify',
    bytes: tinyBytes().length,
    quantized: null,
    ops: { Conv: 2 },
    training: { trainable: true },
  });
  expect(own).toMatchObject({ task: 'classify', images: 6, metrics: { top1: 1, agreement: 1 } });
  expect(own.sqnr).toEqual([{ output: 'scores', part: '', db: null }]);
  expect(timed.models).toHaveLength(2);
  expect(timed.models[0].speedup).toBe(1);
  expect(plan).toMatchObject({ task: 'classify', images: { train: 18, val: 6, test: 0 } });
});

test('doctor says what this machine offers, and exits with 3 without Redis', async () => {
  const env = { REDIS_URL: 'redis://:secret@127.0.0.1:9' };

  const all = await lathe(['doctor', '--json'], env);
  const some = await lathe(['doctor', 'node', 'disk'], env);

  const { findings } = JSON.parse(all.stdout) as { findings: { name: string; state: string }[] };
  expect(all.code).toBe(3);
  expect(findings.find((f) => f.name === 'Redis')).toMatchObject({
    state: 'bad',
    detail: expect.stringMatching(/127\.0\.0\.1:9 does not answer: .*ECONNREFUSED/),
  });
  expect(all.stdout).not.toContain('secret');
  expect(findings.filter((f) => f.state === 'bad')).toHaveLength(1);
  expect(some).toMatchObject({ code: 0, stdout: expect.stringMatching(/^✓ Node.js/) });
});

test('help and version are answers, not errors; no command at all is one', async () => {
  const [help, version, nothing] = await Promise.all([
    lathe(['run', '--help']),
    lathe(['--version']),
    lathe([]),
  ]);

  expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('--out'), stderr: '' });
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  expect(nothing).toMatchObject({ code: 2, stdout: '' });
  expect(nothing.stderr).toMatch(/Usage: lathe[\s\S]*doctor/);
  expect(nothing.stderr).not.toContain('outputHelp');
});

test.each(['submit', 'jobs', 'watch', 'pull', 'cancel'])(
  '%s without a server exits with 6',
  async (command) => {
    const at = await place();
    const args = {
      submit: [at.spec],
      jobs: [],
      watch: ['job_0'],
      pull: ['job_0', '--out', at.out],
      cancel: ['job_0'],
    };

    const { code, stderr } = await lathe([command, ...args[command as keyof typeof args]], {
      LATHE_URL: 'http://127.0.0.1:9',
    });

    expect(code).toBe(6);
    expect(stderr).toContain('http://127.0.0.1:9 does not answer');
  },
);
