/** @file How each task is judged: one line per task. */

import type { TaskName } from '../../tasks/registry.ts';
import { classifyMetric } from './classify.ts';
import { detectMetric } from './detect.ts';
import { genericMetric } from './generic.ts';
import type { Metric } from './metric.ts';

export const METRICS: Readonly<Record<TaskName, Metric>> = {
  detect: detectMetric,
  classify: classifyMetric,
  generic: genericMetric,
};
