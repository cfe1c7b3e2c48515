/** @file Resident memory of a process and all its descendants. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const PAGE = 4096;

/** Milliseconds between samples: reading /proc is cheap, asking ps is not. */
export const SAMPLE_MS = process.platform === 'linux' ? 100 : 1000;

/** Bytes; 0 where the process is gone. */
export function memoryOf(pid: number): number {
  return process.platform === 'linux' ? linux(pid) : portable(pid);
}

function linux(pid: number): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return children.filter(Boolean).reduce((sum, c) => sum + linux(Number(c)), pages * PAGE);
  } catch {
    return 0;
  }
}

/** The child leads its own process group. */
function portable(group: number): number {
  try {
    const text = execFileSync('ps', ['-o', 'rss=', '-g', String(group)], { encoding: 'utf8' });
    return text.split('\n').reduce((sum, line) => sum + Number(line) * 1024, 0);
  } catch {
    return 0;
  }
}
