/** @file How far a job is: phases with weights, a share that never falls, and seconds left. */

import type { JobEvent } from '../../src/contract/events.ts';

export interface Phase {
  /** The stage it belongs to; null: before the first or after the last. */
  readonly index: number | null;
  /** Expected work, in inferences of the input model or so: only ratios matter. */
  readonly weight: number;
}

type ProgressEvent = Extract<JobEvent, { type: 'progress' }>;

/** Tells the share of the phase it was made for, 0…1; without effect once that phase is over. */
export type Tell = (share: number, doing?: string) => void;

/** Told at most this often, in milliseconds; the ends of a phase always. */
const EVERY = 250;
/** No estimate before this much was seen. */
const LEAST_SECONDS = 1;
const LEAST_SHARE = 0.02;

export class Progress {
  readonly #phases: readonly Phase[];
  readonly #emit: (event: ProgressEvent) => void;
  readonly #started = performance.now();
  readonly #total: number;
  #at = -1;
  /** Weight of the phases before this one, and how much of it was really worked off. */
  #before = 0;
  #worked = 0;
  #reached = 0;
  #told = Number.NEGATIVE_INFINITY;

  constructor(phases: readonly Phase[], emit: (event: ProgressEvent) => void) {
    this.#phases = phases;
    this.#emit = emit;
    this.#total = phases.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Start the next phase. */
  next(doing: string): Tell {
    this.#leave(true);
    const at = this.#at;
    this.#tell(0, doing, true);
    return (share, now = doing) => {
      if (at === this.#at) this.#tell(Math.min(1, Math.max(0, share)), now, share >= 1);
    };
  }

  /** Pass over the next phase without any work: its result was there already. */
  skip(): void {
    this.#leave(true);
    this.#worked -= this.#phases[this.#at]?.weight ?? 0;
  }

  #leave(worked: boolean): void {
    const left = this.#phases[this.#at];
    this.#before += left?.weight ?? 0;
    if (worked) this.#worked += left?.weight ?? 0;
    this.#at++;
  }

  #tell(share: number, doing: string, force: boolean): void {
    const now = performance.now();
    const phase = this.#phases[this.#at];
    if (!phase || (!force && now - this.#told < EVERY)) return;
    this.#told = now;
    const here = share * phase.weight;
    this.#reached = Math.max(this.#reached, (this.#before + here) / this.#total);
    this.#emit({
      type: 'progress',
      progress: round(this.#reached),
      index: phase.index,
      stageProgress: round(this.#stageShare(phase.index, here)),
      doing,
      estimatedSecondsLeft: this.#secondsLeft(here, now),
    });
  }

  /** Of the stage that the current phase belongs to; 0 outside stages. */
  #stageShare(index: number | null, here: number): number {
    if (index === null) return 0;
    const own = this.#phases.map((p, i) => ({ ...p, i })).filter((p) => p.index === index);
    const before = own.filter((p) => p.i < this.#at);
    const sum = (phases: readonly Phase[]) => phases.reduce((n, { weight }) => n + weight, 0);
    return (sum(before) + here) / sum(own);
  }

  /** At the pace so far. */
  #secondsLeft(here: number, now: number): number | null {
    const seconds = (now - this.#started) / 1000;
    const worked = this.#worked + here;
    if (seconds < LEAST_SECONDS || worked < LEAST_SHARE * this.#total) return null;
    const left = this.#total - this.#before - here;
    return Math.round((left * seconds) / worked);
  }
}

const round = (share: number) => Math.round(share * 1e4) / 1e4;
