/** @file The published package: dist/ with JavaScript, because Node refuses TypeScript under node_modules. */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const FOLDERS = ['src', 'workers', 'cli', 'sdk'];

rmSync(DIST, { recursive: true, force: true });
const { status } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
if (status !== 0) process.exit(1);

// What the code reads at run time beside itself: style sheets, scripts of the report, published schemas.
const assets = globSync(
  [...FOLDERS.map((f) => `${f}/**/*.{css,js,json,html,svg,lua}`), 'openapi/*.json'],
  {
    cwd: ROOT,
    exclude: ['sdk/generate/**'],
  },
);
for (const file of [...assets, 'package.json']) {
  mkdirSync(dirname(join(DIST, file)), { recursive: true });
  cpSync(join(ROOT, file), join(DIST, file));
}
chmodSync(join(DIST, 'cli/main.js'), 0o755);
