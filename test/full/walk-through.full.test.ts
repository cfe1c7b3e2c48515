/** @file The README's curl walk-through, as it stands there, against a running API and worker. */

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { expect, onTestFinished, test } from 'vitest';

import { Site } from '../chaos/site.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const has = (command: string) => spawnSync(command, ['--version']).status === 0;
const tools = has('curl') && has('jq');
if (!tools) console.warn('skipped: the walk-through needs curl and jq');

/** The first block of shell that sets LATHE_URL. */
function walkThrough(): string {
  const blocks = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g);
  return [...blocks].map(([, text]) => text!).find((text) => text.startsWith('LATHE_URL='))!;
}

test.skipIf(!tools)(
  'the commands of the README, one after another, end with a model and a report',
  async () => {
    const site = await Site.open();
    onTestFinished(() => site.close());
    const api = await site.api();
    site.worker();
    const folder = mkdtempSync(join(tmpdir(), 'lathe-walk-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
    const script = walkThrough().replace(/^LATHE_URL=.*$/m, `LATHE_URL=${api.url}`);

    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: folder,
    });

    expect(stdout).toMatch(/"status": "succeeded",\s+"outcome": "pass"/);
    expect(stdout).toMatch(/\d+\tmodel\.onnx/);
    expect(statSync(join(folder, 'model.onnx')).size).toBeLessThan(4_000_000);
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('<!doctype html>');
  },
);
