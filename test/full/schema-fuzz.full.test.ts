/**
 * @file Requests that schemathesis makes of the OpenAPI file, for every route: no answer is a fault of the server.
 *
 * `PEER_PYTHON` names a Python that has it (`pip install schemathesis`); test/api/fuzz.test.ts spoils requests without it.
 */

import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Api, Site } from '../chaos/site.ts';

const MINUTES = 60_000;
const run = promisify(execFile);
const python = process.env['PEER_PYTHON'] ?? '';
const has = spawnSync(python, ['-c', 'import schemathesis'], { stdio: 'ignore' }).status === 0;

const OPTIONS = [
  ...['--checks', 'not_a_server_error', '--phases', 'examples,coverage,fuzzing'],
  ...['--max-examples', '40', '--continue-on-failure', '--seed', '1', '--workers', '2'],
  ...['--request-timeout', '90', '--suppress-health-check', 'all', '--warnings', 'off'],
];

let site: Site;
let api: Api;
beforeAll(async () => {
  site = await Site.open();
  api = await site.api({ LATHE_RATE_LIMIT: '1000000' });
  api.process.stdout!.resume();
});
afterAll(() => site.close());

test('no 5xx for whatever the schema allows, and for what it does not', {
  timeout: 30 * MINUTES,
}, async ({ skip }) => {
  skip(!has, 'PEER_PYTHON names no Python with schemathesis');
  const args = ['-m', 'schemathesis.cli', 'run', `${api.url}/openapi.json`, ...OPTIONS];
  const { code, stdout } = await run(python, args, { cwd: site.folder, maxBuffer: 2 ** 26 }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error) => error as { code: number; stdout: string },
  );

  console.log(stdout.slice(-1500));
  expect(code, stdout.slice(-8000)).toBe(0);
});
