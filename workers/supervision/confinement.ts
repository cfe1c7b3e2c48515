/** @file How a job's process is held in: the commands in front of it, as far as this machine permits them. */

import { spawnSync } from 'node:child_process';

export interface Confinement {
  /** The job dies with its supervisor even while native code blocks it. */
  readonly deathSignal: boolean;
  /** Limits of CPU time, file size and open files. */
  readonly limits: boolean;
  /** No network. */
  readonly noNetwork: boolean;
}

const OPEN_FILES = 4096;

const works = (command: string, ...args: string[]) =>
  process.platform === 'linux' && spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Tried out once, by running `true` under each. */
export function confinementHere(): Confinement {
  return {
    deathSignal: works('setpriv', '--pdeathsig', 'KILL', '--', 'true'),
    limits: works('prlimit', `--nofile=${OPEN_FILES}`, '--core=0', '--', 'true'),
    noNetwork: works('unshare', '-n', '--', 'true'),
  };
}

/**
 * `unshare -n setpriv --pdeathsig KILL prlimit … node …`: each replaces itself by the next, so there is one process.
 *
 * @param fileBytes largest file @param cpuSeconds CPU time over all threads
 */
export function confined(
  command: readonly string[],
  has: Confinement,
  { fileBytes, cpuSeconds }: { readonly fileBytes: number; readonly cpuSeconds: number },
): string[] {
  return [
    ...(has.noNetwork ? ['unshare', '-n', '--'] : []),
    ...(has.deathSignal ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []),
    ...(has.limits
      ? [
          'prlimit',
          `--cpu=${cpuSeconds}`,
          `--fsize=${fileBytes}`,
          `--nofile=${OPEN_FILES}`,
          '--core=0',
          '--',
        ]
      : []),
    ...command,
  ];
}

/** What a job may know of its surroundings: what programs need to run, and nothing that opens a door. */
const ALLOWED =
  /^(PATH|HOME|LANG|LC_.*|TZ|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|ORT_.*|GLIBC_TUNABLES)$/;

/** @param folder of the job: temporary files lie there too, and go with it */
export function allowedEnvironment(env: NodeJS.ProcessEnv, folder: string): NodeJS.ProcessEnv {
  const allowed = Object.entries(env).filter(([name]) => ALLOWED.test(name));
  return { ...Object.fromEntries(allowed), TMPDIR: folder };
}
