/** @file A lock between processes: a folder that holds its owner's process id. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Run `work` while no other process on this machine runs anything under the same lock.
 *
 * @param {string} folder made while the lock is held, in a folder that exists
 * @param {() => Promise<T>} work
 * @returns {Promise<T>} what `work` returned
 * @template T
 */
export async function underLock(folder, work) {
  while (!take(folder)) await sleep(200);
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** mkdir is atomic: of two processes one makes the folder. A dead owner's lock is removed first. */
function take(folder) {
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (ownerIsDead(folder)) rmSync(folder, { recursive: true, force: true });
    return false;
  }
}

function ownerIsDead(folder) {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    if (pid === 0) return false; // the owner is between mkdir and write
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
