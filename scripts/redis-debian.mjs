/** @file Redis on Debian and Ubuntu without root: packages unpacked into a folder of ours. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What redis-server needs on Debian 12; the list for this release is asked of apt first. */
const PACKAGES = ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'];

/**
 * Download and unpack redis-server into `folder`. Nothing outside `folder` is written.
 *
 * @param {string} folder
 * @returns {string} the server's path
 * @throws {Error} what apt or dpkg-deb said
 */
export function unpackRedis(folder) {
  const debs = join(folder, 'debs');
  mkdirSync(debs, { recursive: true });
  try {
    download(debs, []);
  } catch {
    download(debs, freshLists(folder)); // no package lists, or too old ones
  }
  for (const deb of readdirSync(debs).filter((name) => name.endsWith('.deb')))
    run('dpkg-deb', ['-x', join(debs, deb), join(folder, 'root')]);
  for (const used of [debs, join(folder, 'apt')]) rmSync(used, { recursive: true, force: true });
  return unpacked(folder);
}

/** The server that an earlier call unpacked, or undefined. */
export function unpacked(folder) {
  const server = join(folder, 'root/usr/bin/redis-server');
  return existsSync(server) ? server : undefined;
}

/** Environment in which the unpacked server finds the libraries that came with it. */
export function unpackedEnv(folder) {
  const lib = join(folder, 'root/usr/lib');
  const triplets = existsSync(lib)
    ? readdirSync(lib).filter((name) => name.includes('-linux-'))
    : [];
  const paths = triplets.map((triplet) => join(lib, triplet));
  const before = process.env.LD_LIBRARY_PATH;
  return { LD_LIBRARY_PATH: [...paths, ...(before ? [before] : [])].join(delimiter) };
}

/** apt options that keep lists and caches in `folder`, with lists fetched now. */
function freshLists(folder) {
  const state = join(folder, 'apt');
  mkdirSync(join(state, 'lists/partial'), { recursive: true });
  mkdirSync(join(state, 'cache/archives/partial'), { recursive: true });
  const options = [
    ...['-o', `Dir::State::lists=${join(state, 'lists')}`],
    ...['-o', `Dir::Cache=${join(state, 'cache')}`],
  ];
  run('apt-get', [...options, '-qq', 'update']);
  return options;
}

function download(debs, options) {
  run('apt-get', [...options, '-qq', 'download', ...missingPackages(options)], debs);
}

/** redis-server and those of its dependencies that this machine lacks, as apt would install them. */
function missingPackages(options) {
  const ask = ['install', '--print-uris', '--no-install-recommends', '-qq', '-y', 'redis-server'];
  const { stdout, status } = spawnSync(
    'apt-get',
    [...options, '-o', 'Debug::NoLocking=1', ...ask],
    { encoding: 'utf8' },
  );
  if (status !== 0) return PACKAGES;
  // 'http://…/redis-server_7.0.15-1_amd64.deb' redis-server_5%3a7.0.15-1_amd64.deb 72448 SHA256:…
  const names = [...stdout.matchAll(/^'\S+' ([a-z0-9.+-]+)_/gm)].map(([, name]) => name);
  return names.includes('redis-server') ? names : PACKAGES;
}

function run(command, args, cwd) {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.trim()}`);
}
