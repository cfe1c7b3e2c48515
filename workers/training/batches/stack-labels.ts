/** @file The labels of a batch's pictures as tensors. */

import type { Labels } from './labels.ts';
import type { Shown } from './make-batch.ts';

/** @returns zeros where there is no label */
export function oneHot(label: number | undefined, classes: number): Float32Array<ArrayBuffer> {
  const target = new Float32Array(classes);
  if (label !== undefined) target[label] = 1;
  return target;
}

export function stackLabels(
  kind: 'boxes' | 'classes' | 'none',
  shown: readonly Pick<Shown, 'boxes' | 'target'>[],
): Labels {
  if (kind === 'none') return { kind };
  if (kind === 'boxes') return stackBoxes(shown.map((one) => one.boxes));
  const targets = new Float32Array(shown.reduce((n, { target }) => n + target.length, 0));
  for (const [i, { target }] of shown.entries()) targets.set(target, i * target.length);
  return { kind, targets };
}

/** Shorter lists are filled with class −1 and boxes of zeros, to the longest; at least one place each. */
function stackBoxes(lists: readonly Shown['boxes'][]): Labels {
  const most = Math.max(1, ...lists.map((list) => list.length));
  const boxes = new Float32Array(lists.length * most * 4);
  const classes = new BigInt64Array(lists.length * most).fill(-1n);
  for (const [i, list] of lists.entries())
    for (const [k, box] of list.entries()) {
      boxes.set(box.corners, (i * most + k) * 4);
      classes[i * most + k] = BigInt(box.class);
    }
  return { kind: 'boxes', boxes, classes, most };
}
