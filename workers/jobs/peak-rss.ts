/** @file The most memory this process held within a span of time, native memory included. */

import { readFileSync, writeFileSync } from 'node:fs';

const SAMPLE_MS = 100;

/**
 * Start watching. On Linux the kernel keeps the peak and is asked to start anew (proc(5), clear_refs, "5"), so it is
 * exact even while native code blocks this thread. Elsewhere: the highest of samples at 10 Hz.
 *
 * @returns a function that stops watching and gives the peak in bytes
 */
export function watchPeakRss(): () => number {
  const kernel = resetKernelPeak();
  let highest = process.memoryUsage.rss();
  const sample = () => {
    highest = Math.max(highest, process.memoryUsage.rss());
  };
  const timer = setInterval(sample, SAMPLE_MS).unref();
  return () => {
    clearInterval(timer);
    sample();
    return Math.max(highest, kernel ? (kernelPeak() ?? 0) : 0);
  };
}

function resetKernelPeak(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return kernelPeak() !== undefined;
  } catch {
    return false; // a sandbox may forbid it
  }
}

function kernelPeak(): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
