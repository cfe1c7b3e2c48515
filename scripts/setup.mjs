/**
 * @file Make a fresh checkout ready: packages as in the lockfile, Node 24 for the scripts, a Redis to start.
 *
 * Plain JavaScript without packages: it runs on any Node from 20 on, before anything is installed. Every
 * set-up command of package.json calls it first; where nothing is to do it ends within 0.1 s.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { underLock } from './lock.mjs';
import { findRedis } from './redis.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const CACHE = join(ROOT, '.cache');
const NODE = join(ROOT, 'node_modules/.bin/node');

/** @throws {Error} one sentence on what this machine lacks */
async function setUp({ redis }) {
  requirePlatform();
  mkdirSync(CACHE, { recursive: true });
  if (!packagesAreCurrent()) await underLock(join(CACHE, 'setup.lock'), install);
  if (redis) await findRedis();
}

/** onnxruntime-node and sharp bring binaries for these platforms only. */
function requirePlatform() {
  const here = `${process.platform}-${process.arch}`;
  if (!['linux-x64', 'linux-arm64', 'darwin-arm64'].includes(here))
    throw new Error(
      `Lathe runs on Linux (x64, arm64) and macOS (arm64), not on ${here}: on Windows use WSL, elsewhere the container image.`,
    );
  if (process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime)
    throw new Error(
      'Lathe needs a Linux with glibc; on Alpine and others with musl use the container image.',
    );
}

async function install() {
  if (packagesAreCurrent()) return; // another process did it while we waited
  process.stderr.write('Installing packages (npm ci) …\n');
  npm('ci');
  if (!nodeIsCurrent()) npm('rebuild', 'node'); // where settings of the user's kept its script from running
  if (!nodeIsCurrent())
    throw new Error(
      `${NODE} is not Node ${wanted().node}: is 'ignore-scripts' set in your npm settings?`,
    );
}

/** With the npm that called us, or the one on the path. Its settings come from .npmrc. */
function npm(...args) {
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund'];
  const cli = process.env.npm_execpath;
  const [command, first] =
    cli?.endsWith('.js') && process.env.npm_node_execpath
      ? [process.env.npm_node_execpath, [cli]]
      : ['npm', []];
  const { status, error } = spawnSync(command, [...first, ...args, ...quiet], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  if (error) throw new Error(`npm cannot be run: ${error.message}`);
  if (status === 0) return;
  rmSync(join(ROOT, 'node_modules/.package-lock.json'), { force: true });
  throw new Error(`npm ${args.join(' ')} failed; what npm says is above.`);
}

/** Whether node_modules holds what the lockfile asks for (npm keeps its own record of what it put there). */
function packagesAreCurrent() {
  const record = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const asked = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const missing = Object.entries(asked).some(
    ([path, { version, optional, link }]) =>
      path !== '' && !optional && !link && installed[path]?.version !== version,
  );
  return !missing && nodeIsCurrent();
}

function nodeIsCurrent() {
  const { stdout, status } = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
  return status === 0 && stdout.trim() === `v${wanted().node}`;
}

const wanted = () => JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).devDependencies;

try {
  await setUp({ redis: !process.argv.includes('--no-redis') });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
