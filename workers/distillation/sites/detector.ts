/** @file Sites of anchor-free detectors: class logits, logits of distances, and boxes, cell by cell. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { range, shapeOf } from '../../onnx/static-shapes.ts';
import { cells } from '../../training/losses/task-aligned/cells.ts';
import {
  decode,
  joinedBoxes,
  joinedClasses,
  logShares,
} from '../../training/losses/task-aligned/joined.ts';
import { type RawMaps, rawMaps } from '../../training/losses/task-aligned/raw-maps.ts';
import type { BothEnds, Pair, Reading, Site } from './site.ts';

interface Heads {
  readonly student: RawMaps;
  readonly teacher: RawMaps;
}

/**
 * The levels of both whose maps have equal sizes: a cell of either then covers the same part of the image, whatever the
 * sizes of the inputs.
 */
export function commonLevels({ student, teacher }: BothEnds): Heads | string {
  const [own, other] = [student, teacher].map(({ graph, binding }) => rawMaps(graph, binding));
  if (typeof own === 'string') return `the student has no cells to compare: ${own}`;
  if (typeof other === 'string') return `the teacher has no cells to compare: ${other}`;
  const size = ({ levels }: RawMaps) => levels.map(({ box }) => `${shapeOf(box).slice(2)}`);
  const [mine, theirs] = [size(own!), size(other!)];
  const kept = (maps: RawMaps, sizes: string[], others: string[]): RawMaps => ({
    ...maps,
    levels: maps.levels.filter((_, i) => others.includes(sizes[i]!)),
  });
  const heads = { student: kept(own!, mine, theirs), teacher: kept(other!, theirs, mine) };
  if (heads.student.levels.length > 0) return heads;
  const words = (sizes: readonly string[]) => sizes.map((s) => s.replace(',', ' × ')).join(', ');
  return `no level of both has maps of one size: the student's are ${words(mine)}, the teacher's ${words(theirs)}`;
}

const readsOf = ({ levels }: RawMaps, kind: 'box' | 'cls') => levels.map((level) => level[kind]);

/** Class logits [B, classes, A], the teacher's in the student's order. */
export const detectorClasses: Site = (ends) => {
  const heads = commonLevels(ends);
  if (typeof heads === 'string') return heads;
  const teacher = teacherClasses(heads.teacher, ends);
  const student: Reading = {
    reads: readsOf(heads.student, 'cls'),
    build: (g) => joinedClasses(g, heads.student, ends.student.batch),
  };
  return [{ name: named('class logits', heads), student, teacher, certainty: teacher }];
};

const teacherClasses = (maps: RawMaps, { teacher, classes }: BothEnds): Reading => ({
  reads: readsOf(maps, 'cls'),
  build: (g) => reordered(g, joinedClasses(g, maps, teacher.batch), classes),
});

/** Channels along axis 1 in the given order. */
export function reordered(g: GraphBuilder, x: Value, order: readonly number[]): Value {
  const same = shapeOf(x)[1] === order.length && order.every((c, i) => c === i);
  return same ? x : g.gather(x, g.ints(order), 1);
}

/** Logits of distances [B, 4·bins, A]. */
export const boxLogits: Site = (ends) => {
  const heads = commonLevels(ends);
  if (typeof heads === 'string') return heads;
  const { bins } = heads.student;
  if (bins !== heads.teacher.bins)
    return `the student's distances have ${bins} bins, the teacher's ${heads.teacher.bins}`;
  const flat = (maps: RawMaps, batch: number): Reading => ({
    reads: readsOf(maps, 'box'),
    build: (g) => {
      const box = joinedBoxes(g, maps, batch);
      return g.reshape(box, [batch, 4 * bins, shapeOf(box)[3]!]);
    },
  });
  return [pairOf('box distributions', heads, ends, flat, bins)];
};

/** Corners in cells [B, 4, A]. */
export const decodedBoxes: Site = (ends) => {
  const heads = commonLevels(ends);
  if (typeof heads === 'string') return heads;
  const corners = (maps: RawMaps, batch: number): Reading => ({
    reads: readsOf(maps, 'box'),
    build: (g) =>
      g.concat(decode(g, logShares(g, joinedBoxes(g, maps, batch)), cells(g, maps), maps.bins), 1),
  });
  return [pairOf('boxes', heads, ends, corners)];
};

function pairOf(
  what: string,
  heads: Heads,
  ends: BothEnds,
  reading: (maps: RawMaps, batch: number) => Reading,
  bins?: number,
): Pair {
  return {
    name: named(what, heads),
    student: reading(heads.student, ends.student.batch),
    teacher: reading(heads.teacher, ends.teacher.batch),
    certainty: teacherClasses(heads.teacher, ends),
    ...(bins !== undefined && { bins }),
  };
}

const named = (what: string, { student, teacher }: Heads): string => {
  const strides = (maps: RawMaps) => maps.levels.map((level) => level.stride).join(', ');
  const both = range(student.levels.length).every(
    (i) => student.levels[i]!.stride === teacher.levels[i]!.stride,
  );
  return `${what} at strides ${strides(student)}${both ? '' : ` (the teacher's ${strides(teacher)})`}`;
};
