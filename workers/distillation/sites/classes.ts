/** @file Class logits, of detectors per cell and of classifiers per image. */

import { classLogits } from '../../training/losses/class-logits.ts';
import { detectorClasses, reordered } from './detector.ts';
import type { End, Reading, Site } from './site.ts';

export const classes: Site = (ends) => {
  if (ends.student.binding.task !== 'classify') return detectorClasses(ends);
  const [student, teacher] = [logitsOf(ends.student), logitsOf(ends.teacher)];
  if (typeof student === 'string') return `the student has no class logits: ${student}`;
  if (typeof teacher === 'string') return `the teacher has no class logits: ${teacher}`;
  const inOrder: Reading = {
    reads: teacher.reads,
    build: (g) => reordered(g, teacher.build(g), ends.classes),
  };
  return [{ name: 'class logits', student, teacher: inOrder, certainty: inOrder }];
};

/** [B, classes]. */
function logitsOf({ graph, binding, batch }: End): Reading | string {
  const found = classLogits(graph, binding);
  if (typeof found === 'string') return found;
  return {
    reads: [found.logits],
    build: (g) => g.reshape(found.logits, [batch, found.classes]),
  };
}
