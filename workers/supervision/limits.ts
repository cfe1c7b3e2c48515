/** @file The limits of a running child: wall clock, silence, resident memory. */

import { ServiceError } from '../../src/contract/errors.ts';
import { TRYING } from '../jobs/job-file.ts';
import type { WorkerConfig } from '../worker-config.ts';
import { memoryOf, SAMPLE_MS } from './group-memory.ts';

export class Limits {
  /** The first limit that was exceeded. */
  exceeded: ServiceError | undefined;
  onExceeded: () => void = () => {};
  readonly #pid: number;
  readonly #config: WorkerConfig;
  readonly #timer: NodeJS.Timeout;
  readonly #started = performance.now();
  #heard = performance.now();
  #doing = 'starting';

  constructor(pid: number, config: WorkerConfig) {
    this.#pid = pid;
    this.#config = config;
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS).unref();
  }

  /** The child said something. @param doing what it is at now, where it said so */
  heard(doing: string | undefined): void {
    this.#heard = performance.now();
    this.#doing = doing ?? this.#doing;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const error = this.exceeded ?? this.#check();
    if (!error || this.exceeded) return;
    this.exceeded = error;
    this.onExceeded();
  }

  #check(): ServiceError | undefined {
    const { jobMemory: limit, jobSeconds, silenceSeconds, trialSeconds } = this.#config;
    const now = performance.now();
    const bytes = memoryOf(this.#pid);
    if (bytes > limit) return new ServiceError('JOB_OUT_OF_MEMORY', { bytes, limit });
    if (now - this.#started > jobSeconds * 1000)
      return new ServiceError('JOB_TIMEOUT', { seconds: jobSeconds });
    const seconds = this.#doing === TRYING ? trialSeconds : silenceSeconds;
    if (now - this.#heard > seconds * 1000)
      return new ServiceError('JOB_STUCK', { seconds, doing: this.#doing });
    return undefined;
  }
}
