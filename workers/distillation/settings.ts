/** @file What a distillation is asked for, and what it takes where nothing is said. */

import type { TaskBinding } from '../tasks/task.ts';
import type { Rule } from './balance.ts';
import type { SignalName } from './signals/registry.ts';
import { commonLevels } from './sites/detector.ts';
import type { BothEnds } from './sites/site.ts';

export interface SignalSpec {
  readonly kind: SignalName;
  /** Share: 1 counts as the task's loss does at the start. */
  readonly weight: number;
  readonly temperature?: number;
  /** Names of tensors; one of both stands for both. */
  readonly student?: string;
  readonly teacher?: string;
  /** Default: the run's. */
  readonly weighting?: Rule;
}

export interface DistillSettings {
  /** Undefined: chosen by the task. */
  readonly signals: readonly SignalSpec[] | undefined;
  readonly weighting: Rule;
}

const CHOSEN: Readonly<Record<TaskBinding['task'] | 'other', readonly SignalSpec[]>> = {
  detect: [
    { kind: 'logit-bce', weight: 1 },
    { kind: 'box-distribution', weight: 1 },
  ],
  classify: [{ kind: 'logit-kl', weight: 1, temperature: 2 }],
  generic: [{ kind: 'output-variance', weight: 1 }],
  other: [{ kind: 'output-variance', weight: 1 }],
};

/** Detectors whose cells cannot be compared are taught by their outputs; those whose bins differ, by boxes. */
export function chosenSignals(ends: BothEnds): readonly SignalSpec[] {
  const { task } = ends.student.binding;
  if (task !== 'detect') return CHOSEN[task];
  const heads = commonLevels(ends);
  if (typeof heads === 'string') return CHOSEN.other;
  if (heads.student.bins === heads.teacher.bins) return CHOSEN.detect;
  return [CHOSEN.detect[0]!, { kind: 'box-giou', weight: 1 }];
}
