/** @file What the machine itself must offer. */

import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

import { readConfig } from '../../src/config.ts';
import { ONNXRUNTIME } from '../../workers/jobs/versions.ts';
import { parseText } from '../../workers/onnx/text.ts';
import { bytes } from '../../workers/report/format.ts';
import { chooseProvider } from '../../workers/runtime/providers.ts';
import { openSession } from '../../workers/runtime/session.ts';
import { confinementHere } from '../../workers/supervision/confinement.ts';
import type { Check } from './check.ts';

const LEAST_FREE = 5e9;
const OLDEST_NODE = 22;

export const node: Check = async () => {
  const major = Number(process.versions.node.split('.')[0]);
  const good = major >= OLDEST_NODE;
  return {
    name: 'Node.js',
    state: good ? 'good' : 'bad',
    detail: `${process.version}${good ? '' : `; ${OLDEST_NODE} or newer is needed`}`,
  };
};

export const settings: Check = async (env) => {
  const { warnings } = readConfig(env);
  return warnings.length > 0
    ? { name: 'settings', state: 'warn', detail: warnings.join(' ') }
    : { name: 'settings', state: 'good', detail: 'every LATHE_ variable is known and valid' };
};

export const runtime: Check = async () => {
  const session = await openSession(parseText('(float[2] X) => (float[2] Y) { Y = Add(X, X) }'));
  const { Y } = await session.run({ X: { dims: [2], data: Float32Array.of(1, 2) } });
  await session.release();
  const right = Y?.data[0] === 2 && Y.data[1] === 4;
  return {
    name: 'onnxruntime',
    state: right ? 'good' : 'bad',
    detail: `${ONNXRUNTIME}${right ? '' : ' computes 1 + 1 wrong'}`,
  };
};

export const provider: Check = async (env) => {
  const asked = readConfig(env).provider;
  const found = await chooseProvider(asked);
  return { name: 'execution provider', state: 'good', detail: `${found} (asked for: ${asked})` };
};

export const disk: Check = async (env) => {
  const { dataDir } = readConfig(env);
  const free = await freeBytes(dataDir);
  return {
    name: 'disk',
    state: free < LEAST_FREE ? 'warn' : 'good',
    detail: `${bytes(free)} free for ${dataDir}${free < LEAST_FREE ? `; ${bytes(LEAST_FREE)} or more are wise` : ''}`,
  };
};

/** Of the folder, or of the nearest one above it that exists. */
async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder)
      return freeBytes(dirname(folder));
    throw error;
  }
}

export const sandbox: Check = async () => {
  const { deathSignal, limits, noNetwork } = confinementHere();
  const missing = [
    deathSignal ? '' : 'setpriv (a job outlives a killed worker for some seconds)',
    limits ? '' : 'prlimit (no limits of CPU time and file size)',
    noNetwork ? '' : 'unshare -n (jobs keep the network)',
  ].filter((m) => m !== '');
  return missing.length === 0
    ? {
        name: 'sandbox',
        state: 'good',
        detail: 'jobs run without network, with limits, and end with their worker',
      }
    : { name: 'sandbox', state: 'warn', detail: `not permitted here: ${missing.join(', ')}` };
};
