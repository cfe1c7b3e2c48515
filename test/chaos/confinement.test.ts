import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  allowedEnvironment,
  confined,
  confinementHere,
} from '../../workers/supervision/confinement.ts';
import { childrenOf, inSecondStage, Site } from './site.ts';

describe.runIf(process.platform === 'linux')('the process of a running job (seen in /proc)', () => {
  let site: Site;
  let child: number;
  let worker: number;

  beforeAll(async () => {
    site = await Site.open();
    const started = site.worker({ LATHE_SECRET_KEY: 'very secret' });
    worker = started.pid!;
    const { id } = await site.longJob();
    await site.until(id, inSecondStage);
    child = childrenOf(started)[0]!;
    process.kill(child, 'SIGSTOP'); // so that it is still there when it is looked at
  });
  afterAll(() => site.close());

  const field = (pid: number, n: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[n - 3]);
  };

  test('knows no secret, no address and no setting of the worker', () => {
    const names = readFileSync(`/proc/${child}/environ`, 'utf8')
      .split('\0')
      .map((line) => line.split('=')[0]!);

    expect(names).toContain('PATH');
    expect(names.filter((name) => /LATHE|REDIS|SECRET|KEY|TOKEN/.test(name))).toEqual([]);
  });

  test('leads its own process group and is nice', () => {
    expect(field(child, 5)).toBe(child);
    expect(field(child, 19)).toBe(10);
    expect(field(worker, 19)).toBeLessThan(10);
  });

  test('holds nothing open but its pipes and files of its own', () => {
    const open = readdirSync(`/proc/${child}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${child}/fd/${fd}`);
      } catch {
        return '';
      }
    });

    expect(open.filter((target) => target.includes(`${site.folder}/data`))).toEqual([]);
  });

  test('has no network', ({ skip }) => {
    skip(!confinementHere().noNetwork, 'this user may not unshare the network');
    const devices = readFileSync(`/proc/${child}/net/dev`, 'utf8').trim().split('\n').slice(2);

    expect(devices.map((line) => line.trim().split(':')[0])).toEqual(['lo']);
  });

  test('may write no endless files and no cores', ({ skip }) => {
    skip(!confinementHere().limits, 'this machine has no prlimit');
    const limits = readFileSync(`/proc/${child}/limits`, 'utf8');

    expect(limits).toMatch(/Max file size\s+17179869184/);
    expect(limits).toMatch(/Max core file size\s+0 /);
  });
});

test('each tool stands in front only where it works', () => {
  const all = { deathSignal: true, limits: true, noNetwork: true };
  const none = { deathSignal: false, limits: false, noNetwork: false };
  const given = { fileBytes: 5, cpuSeconds: 7 };

  expect(confined(['node', 'x'], all, given).join(' ')).toBe(
    'unshare -n -- setpriv --pdeathsig KILL -- prlimit --cpu=7 --fsize=5 --nofile=4096 --core=0 -- node x',
  );
  expect(confined(['node', 'x'], none, given)).toEqual(['node', 'x']);
});

test('the environment is a list of what is allowed', () => {
  const env = { PATH: '/bin', REDIS_URL: 'r', LATHE_API_KEYS: 'k', LANG: 'C', AWS_SECRET: 's' };

  expect(allowedEnvironment(env, '/job')).toEqual({ PATH: '/bin', LANG: 'C', TMPDIR: '/job' });
});
