/** @file The published package: packed, installed into an empty folder, used from there. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'lathe-package-'));
const EXAMPLE = join(ROOT, 'examples/bccd_yolov8n_320.onnx');

beforeAll(() => {
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: ROOT, stdio: 'pipe' });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
  execFileSync('npm', ['install', ...quiet, `./${tarball}`], { cwd: folder, stdio: 'pipe' });
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lathe = (...args: string[]) =>
  execFileSync(join(folder, 'node_modules/.bin/lathe'), args, { cwd: folder, encoding: 'utf8' });

test('it says its version', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(lathe('--version').trim()).toBe(version);
});

test('it inspects a model', () => {
  const info = JSON.parse(lathe('inspect', EXAMPLE, '--json'));
  expect(info).toMatchObject({ task: 'detect', inputs: [{ name: 'images' }] });
});

test('it runs a job', () => {
  const spec = join(folder, 'spec.json');
  writeFileSync(spec, JSON.stringify({ stages: [{ stage: 'simplify' }] }));
  const report = JSON.parse(
    lathe('run', spec, '--model', EXAMPLE, '--out', join(folder, 'out'), '--json'),
  );
  expect(report.accept.passed).toBe(true);
  expect(readdirSync(join(folder, 'out'))).toContain('model.onnx');
});

test('it ships JavaScript only, and nothing of tests or examples', () => {
  const files = readdirSync(join(folder, 'node_modules/lathe'), { recursive: true }).map(String);
  expect(files.filter((file) => /\.ts$/.test(file))).toEqual([]);
  expect(files.filter((file) => /^(test|examples|bench)\b/.test(file))).toEqual([]);
});
