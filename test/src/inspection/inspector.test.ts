/** @file The child that inspects uploads: held to limits, and without our secrets. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';

import { Inspector } from '../../../src/inspection/inspector.ts';
import { Slots } from '../../../src/inspection/slots.ts';
import { tinyBytes } from '../../workers/job/tiny.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lathe-inspector-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const path = join(scratch, 'tiny.onnx');
writeFileSync(path, tinyBytes());
const file = { path, bytes: statSync(path).size, name: 'tiny.onnx' };
const forever = () => new AbortController().signal;

test('a model that takes too long is too complex', async () => {
  const inspector = new Inspector({ scratch, seconds: 0.05 });

  await expect(inspector.model(file, forever())).rejects.toMatchObject({
    code: 'MODEL_TOO_COMPLEX',
    message: expect.stringContaining('seconds'),
  });
});

test('a model that takes too much memory is too complex', async () => {
  const inspector = new Inspector({ scratch, memory: 40 * 2 ** 20 });

  await expect(inspector.model(file, forever())).rejects.toMatchObject({
    code: 'MODEL_TOO_COMPLEX',
    message: expect.stringContaining('memory'),
  });
});

test('an archive that takes too long is too complex', async () => {
  execFileSync('tar', ['-cf', join(scratch, 'a.tar'), '-C', scratch, 'tiny.onnx']);
  const inspector = new Inspector({ scratch, seconds: -0.95 });

  const archive = { path: join(scratch, 'a.tar'), bytes: 10_240, name: null };

  await expect(inspector.dataset(archive, forever())).rejects.toMatchObject({
    code: 'DATASET_TOO_COMPLEX',
  });
});

test('nobody waits any more: the child is killed', async () => {
  const gone = new AbortController();
  const inspected = new Inspector({ scratch }).model(file, gone.signal);
  setTimeout(() => gone.abort(new Error('gone')), 100);

  await expect(inspected).rejects.toThrow('gone');
  await sleep(100);
  expect(processesWith(path)).toEqual([]);
});

test('a child that somebody kills has said nothing about the file', async () => {
  const inspected = new Inspector({ scratch }).model(file, forever());
  const refused = expect(inspected).rejects.toMatchObject({ code: 'INSPECTION_FAILED' });
  let found: number[] = [];
  while (found.length === 0) {
    await sleep(10);
    found = processesWith(path);
  }
  for (const pid of found) process.kill(pid, 'SIGKILL');

  await refused;
});

test('the child knows none of our secrets', async () => {
  process.env['LATHE_API_KEYS'] = 'a:very-secret-key';
  const inspected = new Inspector({ scratch }).model(file, forever());
  await sleep(150);
  const environments = processesWith(path).map((pid) => environmentOf(pid));
  delete process.env['LATHE_API_KEYS'];
  await inspected;

  expect(environments.length).toBeGreaterThan(0);
  expect(environments.join()).not.toMatch(/LATHE_|REDIS_URL|very-secret/);
});

test('so many at once, the others in turn; who leaves the line is passed over', async () => {
  const slots = new Slots(2);
  const running = new Set<number>();
  let most = 0;
  const leaving = new AbortController();
  const work = (n: number, signal = forever()) =>
    slots.use(signal, async () => {
      running.add(n);
      most = Math.max(most, running.size);
      await sleep(20);
      running.delete(n);
      return n;
    });

  const all = [work(1), work(2), work(3, leaving.signal), work(4), work(5)];
  leaving.abort(new Error('left'));
  const settled = await Promise.allSettled(all);

  expect(settled.map((s) => (s.status === 'fulfilled' ? s.value : 'left'))).toEqual([
    1,
    2,
    'left',
    4,
    5,
  ]);
  expect(most).toBe(2);
});

/** Their command line names the file. */
function processesWith(name: string): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.includes('inspect-process') && line.includes(name))
    .map((line) => Number.parseInt(line, 10));
}

const environmentOf = (pid: number): string =>
  execFileSync('ps', ['e', '-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
