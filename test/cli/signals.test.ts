/** @file What happens to a command that is interrupted, whose model crashes, or whose reader goes away. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

import type { Report } from '../../src/contract/report.ts';
import { endlessBytes } from '../chaos/hostile.ts';
import { testFolder } from '../helpers/image-folder.ts';
import { lathe } from '../helpers/lathe.ts';
import { colourFolder, tinyBytes } from '../workers/job/tiny.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');

interface Started {
  readonly child: ChildProcess;
  readonly end: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(...args: string[]): Started {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const end = new Promise<Awaited<Started['end']>>((done) =>
    child.on('close', (code) => done({ code, stdout, stderr })),
  );
  return { child, end };
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!);
}

/** The process that has the model, some time into an inference that never ends. */
async function busyChild({ child }: Started): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const [pid] = childrenOf(child.pid!);
    if (pid !== undefined) {
      await sleep(1500);
      return pid;
    }
    await sleep(50);
  }
  throw new Error('no child was started');
}

async function endless(): Promise<string> {
  const file = join(await testFolder(), 'endless.onnx');
  await writeFile(file, endlessBytes());
  return file;
}

test('Ctrl-C ends a command whose inference never ends: exit 130, nobody left', async () => {
  const started = start('bench', await endless());
  const pid = await busyChild(started);

  started.child.kill('SIGINT');
  const { code } = await started.end;

  expect(code).toBe(130);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a model that takes the runtime down is a sentence and exit 3, as JSON too', async () => {
  const started = start('bench', await endless(), '--json');

  process.kill(await busyChild(started), 'SIGSEGV');
  const { code, stdout, stderr } = await started.end;

  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'MODEL_CRASHES_RUNTIME' } });
  expect(stderr).toContain('killed by SIGSEGV');
});

test('a run whose process is taken down says so and exits with 3', async () => {
  const root = await testFolder();
  const [model, spec] = [join(root, 'm.onnx'), join(root, 'spec.json')];
  await writeFile(model, endlessBytes());
  await writeFile(spec, JSON.stringify({ stages: [{ stage: 'simplify' }] }));
  const started = start('run', spec, '--model', model, '--out', join(root, 'out'), '--json');

  process.kill(await busyChild(started), 'SIGSEGV');
  const { code, stdout, stderr } = await started.end;

  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'MODEL_CRASHES_RUNTIME' } });
  expect(stderr).toContain('SIGSEGV');
});

test('an interrupted run exits with 130, keeps no half of a file, and goes on when repeated', async () => {
  const root = await testFolder();
  const [model, spec, out] = ['m.onnx', 'spec.json', 'out'].map((name) => join(root, name));
  await writeFile(model!, tinyBytes());
  await writeFile(
    spec!,
    JSON.stringify({ stages: [{ stage: 'simplify' }, { stage: 'quantize' }] }),
  );
  const data = await colourFolder(join(root, 'data'), 300);
  const args = ['run', spec!, '--model', model!, '--data', data, '--out', out!];
  const started = start(...args);
  await stageFile(out!);

  started.child.kill('SIGINT');
  const { code, stderr } = await started.end;
  const left = await readdir(out!, { recursive: true });
  const again = await lathe([...args, '--json']);

  expect(code).toBe(130);
  expect(stderr).toContain('run the same command to go on');
  expect(left.filter((name) => name.endsWith('.part'))).toEqual([]);
  expect(left).not.toContain('report.json');
  expect(again.code).toBe(0);
  const report = JSON.parse(await readFile(join(out!, 'report.json'), 'utf8')) as Report;
  expect(report.stages.map((s) => s.resumed)).toEqual([true, false]);
});

/** Wait until the first stage is kept. */
async function stageFile(out: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const kept = await readdir(join(out, 'stages')).catch(() => []);
    if (kept.some((name) => /^01-.*\.json$/.test(name))) return;
    await sleep(50);
  }
  throw new Error('the first stage was not kept within 30 s');
}

test('a reader that goes away ends the command without a word', async () => {
  const model = join(await testFolder(), 'm.onnx');
  await writeFile(model, tinyBytes());
  const pipe = '"$0" "$1" inspect "$2" --json | head -c 1';

  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) => {
    const shell = spawn('sh', ['-c', pipe, process.execPath, MAIN, model]);
    let [stdout, stderr] = ['', ''];
    shell.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    shell.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    shell.on('close', () => done({ stdout, stderr }));
  });

  expect({ stdout, stderr }).toEqual({ stdout: '{', stderr: '' });
});
