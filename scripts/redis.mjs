/**
 * @file A private Redis for the demo and the tests: own process, own folder, a free loopback port.
 * Plain JavaScript without packages, because set-up runs it on any Node from 20 on.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { underLock } from './lock.mjs';
import { unpacked, unpackedEnv, unpackRedis } from './redis-debian.mjs';

const CACHE = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../.cache');
const FOLDER = join(CACHE, 'redis');

const SETTINGS = [
  ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
];

/**
 * Runs the server and ends it when standard input closes, which happens even when our own process
 * is killed. $1: a folder to remove afterwards, or nothing.
 */
const KEEPER = `
exec 3<&0
folder=$1; shift
"$@" </dev/null 3<&- &
server=$!
echo "$server"
(cat <&3 >/dev/null; kill -TERM "$server" 2>/dev/null) &
watcher=$!
exec 3<&-
wait "$server"; status=$?
kill "$watcher" 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder"
exit "$status"
`;

/**
 * Start a Redis that nobody else uses.
 *
 * @param {{ port?: number, dir?: string }} [options] a fixed port; a folder that outlives the server
 * @returns {Promise<import('./redis.d.mts').PrivateRedis>} its address, and how to end it
 * @throws {Error} no server can be had on this machine, or it does not start
 */
export async function startRedis({ port, dir } = {}) {
  const server = await findRedis();
  for (let attempt = 1; ; attempt++) {
    const chosen = port ?? (await freePort());
    try {
      return await launch(server, chosen, dir);
    } catch (error) {
      if (port !== undefined || attempt === 5) throw error; // somebody may have taken the free port
    }
  }
}

/**
 * Where a Redis server is on this machine, unpacking one into .cache/ if need be.
 *
 * @returns {Promise<{ path: string, env: Record<string, string> }>}
 */
export async function findRedis() {
  const installed = onPath('redis-server') ?? onPath('valkey-server');
  if (installed) return { path: installed, env: {} };
  const ours = usable(unpacked(FOLDER)) ?? (await obtain());
  return { path: ours, env: unpackedEnv(FOLDER) };
}

async function obtain() {
  mkdirSync(FOLDER, { recursive: true });
  return underLock(join(CACHE, 'redis.lock'), async () => {
    const there = usable(unpacked(FOLDER)); // another process may just have done it
    if (there) return there;
    if (onPath('apt-get') && onPath('dpkg-deb')) return fromDebian();
    if (process.platform === 'darwin' && onPath('brew')) return fromBrew();
    throw new Error(
      'Redis is missing: put redis-server (7 or newer) or valkey-server on the path and try again.',
    );
  });
}

function fromDebian() {
  process.stderr.write('Fetching a private redis-server into .cache/redis …\n');
  const server = usable(unpackRedis(FOLDER));
  if (server) return server;
  throw new Error('The unpacked redis-server does not run: install redis-server and try again.');
}

function fromBrew() {
  process.stderr.write('Installing redis with brew …\n');
  spawnSync('brew', ['install', '--quiet', 'redis'], { stdio: ['ignore', 2, 2] });
  const server = onPath('redis-server');
  if (server) return server;
  throw new Error('`brew install redis` failed: install redis-server and try again.');
}

function usable(server) {
  if (server === undefined) return undefined;
  const env = { ...process.env, ...unpackedEnv(FOLDER) };
  return spawnSync(server, ['--version'], { env }).status === 0 ? server : undefined;
}

function onPath(name) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

async function launch({ path, env }, port, keptDir) {
  const dir = keptDir ?? mkdtempSync(join(tmpdir(), 'lathe-redis-'));
  const log = join(dir, 'redis.log');
  const args = [path, '--port', String(port), '--dir', dir, '--logfile', log, ...SETTINGS];
  const keeper = spawn('sh', ['-c', KEEPER, 'redis', keptDir ? '' : dir, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true, // Ctrl-C is for us; the server ends when we close its input
  });
  const exited = new Promise((done) => keeper.once('exit', done));
  const pid = await firstLine(keeper.stdout);
  if (!(await answers(port, pid, keeper))) {
    const said = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-3) : [];
    await end(keeper, exited);
    throw new Error(`Redis did not start on port ${port}. ${said.join(' | ')}`);
  }
  keeper.unref();
  keeper.stdin.unref?.();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    pid,
    stop: () => end(keeper, exited, dir, keptDir),
  };
}

async function end(keeper, exited, dir, keptDir) {
  keeper.ref();
  keeper.stdin.destroy();
  await exited;
  if (dir && !keptDir) rmSync(dir, { recursive: true, force: true });
}

async function firstLine(stream) {
  let text = '';
  for await (const chunk of stream) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  return Number(text);
}

/** Whether the server with this process id is ready within ten seconds. */
async function answers(port, pid, keeper) {
  for (const end = Date.now() + 10_000; Date.now() < end && keeper.exitCode === null; ) {
    if (await ping(port, pid)) return true;
    await sleep(25);
  }
  return false;
}

/** Asks who is there too: another server may hold the port that ours could not get. */
function ping(port, pid) {
  return new Promise((done) => {
    let reply = '';
    const socket = connect({ host: '127.0.0.1', port, timeout: 1000 });
    const settle = (value) => {
      socket.destroy();
      done(value);
    };
    socket.once('connect', () => socket.write('INFO server\r\nPING\r\n'));
    socket.on('data', (data) => {
      reply += data;
      if (/\r\n[+-][A-Z].*\r\n$|^-/.test(reply))
        settle(reply.includes(`process_id:${pid}\r`) && reply.includes('+PONG'));
    });
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
