/** @file The demo: one command from files to an accepted model, in time, and nothing left running. */

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const DEMO = join(ROOT, 'scripts/demo.ts');

/** Processes of this checkout that `before` does not know: servers, jobs and Redis. */
function lathesBeside(before: ReadonlySet<string>): string[] {
  return lathes().filter((line) => !before.has(line));
}

const lathes = () =>
  execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => /end-with-parent\.mjs/.test(line));

test('ends within 90 s with status 0, its artifacts in out/demo', {
  timeout: 120_000,
}, async () => {
  const before = new Set(lathes());
  const started = performance.now();
  const demo = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'inherit'] });
  let words = '';
  demo.stdout.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });

  const code = await new Promise((done) => demo.on('close', done));

  expect(code).toBe(0);
  expect((performance.now() - started) / 1000).toBeLessThan(90);
  expect(words).toMatch(/mAP50-95[\s\S]*quantize[\s\S]*Accepted\.[\s\S]*report\.html/);
  for (const name of ['model.onnx', 'report.html', 'report.json', 'metrics.jsonl'])
    expect(existsSync(join(ROOT, 'out/demo', name))).toBe(true);
  expect(lathesBeside(before)).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s in mid-job stops everything and removes its folder',
  { timeout: 60_000 },
  async (signal) => {
    const before = new Set(lathes());
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('lathe-demo-'));
    const known = folders();
    const demo = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((done) => demo.on('close', done));
    await new Promise<void>((done) =>
      demo.stderr.on('data', (chunk: Buffer) => /\d %/.test(chunk.toString()) && done()),
    );

    demo.kill(signal);

    expect(await ended).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(lathesBeside(before)).toEqual([]);
    expect(folders().filter((name) => !known.includes(name))).toEqual([]);
  },
);

test('a demo that is killed takes its processes with it', { timeout: 60_000 }, async () => {
  const before = new Set(lathes());
  const demo = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'] });
  await new Promise<void>((done) =>
    demo.stdout.on('data', (chunk: Buffer) => /is queued/.test(chunk.toString()) && done()),
  );
  expect(lathesBeside(before).length).toBeGreaterThan(1);

  demo.kill('SIGKILL');
  for (let tries = 0; tries < 100 && lathesBeside(before).length > 0; tries++) await sleep(200);

  expect(lathesBeside(before)).toEqual([]);
});
