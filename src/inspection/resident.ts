/** @file Resident memory of a process. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

const PAGE = 4096;

/** Milliseconds between samples. */
export const SAMPLE_MS = 100;

const asked = new Map<number, number>();

/** Bytes; 0 where the process is gone. Elsewhere than on Linux the answer is one sample old. */
export function residentBytes(pid: number): number {
  if (process.platform !== 'linux') return latest(pid);
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE;
  } catch {
    return 0;
  }
}

function latest(pid: number): number {
  execFile('ps', ['-o', 'rss=', '-p', String(pid)], (error, text) => {
    if (error) asked.delete(pid);
    else asked.set(pid, Number(text) * 1024);
  });
  return asked.get(pid) ?? 0;
}
