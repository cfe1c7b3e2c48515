/** @file Many spoiled files through one reader, in a process that is watched: no crash, no hang, no growth. */

import { fork } from 'node:child_process';
import { join } from 'node:path';

import type { TargetName } from './targets.ts';

export interface Fuzzed {
  readonly inputs: number;
  /** Refused with an error of ours; the others were read. */
  readonly refused: number;
  readonly peakRssBytes: number;
  /** What went wrong, each with the number of its input: `mutated(seeds, number)` makes it again. */
  readonly findings: readonly string[];
}

interface Told {
  readonly at: number;
  readonly rss?: number;
  readonly refused?: number;
  readonly finding?: string;
}

const CHILD = join(import.meta.dirname, 'child.ts');

/** The child speaks every 64 inputs: none may take ten seconds of its own time. */
const SILENT_MS = 64 * 10_000;

export async function fuzz(target: TargetName, from: number, to: number): Promise<Fuzzed> {
  const findings: string[] = [];
  let [at, refused, peakRssBytes] = [from, 0, 0];
  const child = fork(CHILD, [target, String(from), String(to)], { stdio: 'inherit' });
  let alarm: NodeJS.Timeout | undefined;
  const watch = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => {
      findings.push(`hangs within 64 inputs after ${at}`);
      child.kill('SIGKILL');
    }, SILENT_MS);
  };
  watch();
  child.on('message', (told: Told) => {
    watch();
    at = told.at;
    refused = told.refused ?? refused;
    peakRssBytes = Math.max(peakRssBytes, told.rss ?? 0);
    if (told.finding) findings.push(`${told.at}: ${told.finding}`);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('exit', (c, s) => resolve([c, s])),
  );
  clearTimeout(alarm);
  if (code !== 0) findings.push(`died of ${signal ?? code} within 64 inputs after ${at}`);
  return { inputs: to - from, refused, peakRssBytes, findings };
}
