/** @file How constants that say sizes and places follow a cut, op by op. */

import { intOf } from '../../onnx/attributes.ts';
import { axisOf } from '../../onnx/static-shapes.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { listOf } from '../coupling/constants.ts';
import { sliceBounds } from '../coupling/rules/join.ts';
import type { Edit, NodeEdit } from './edit.ts';

/** Sizes that are stated follow; −1 (what is left) still holds, and 0 (as the input's) where the input's is the same. */
const reshape: Edit = (e) => {
  const target = listOf(e.node, 1, 'shape');
  const [from, to] = [e.after(e.x(0)), e.after(e.y(0))];
  if (!target) return;
  const holds = (d: number, i: number) => d < 0 || (d === 0 && from[i] === to[i]);
  e.setInts(
    1,
    'shape',
    target.map((d, i) => (holds(d, i) ? d : to[i]!)),
  );
};

/** A stated size that the input stretches to; aligned right. */
const expand: Edit = (e) => {
  const target = listOf(e.node, 1, '');
  const [before, after] = [e.before(e.y(0)), e.after(e.y(0))];
  const shift = before.length - (target?.length ?? 0);
  if (target)
    e.setInts(
      1,
      '',
      target.map((d, i) => (d === before[i + shift] ? after[i + shift]! : d)),
    );
};

/** Where a 1 was repeated, as often as places are left. */
const tile: Edit = (e) => {
  const repeats = listOf(e.node, 1, '');
  const [from, to] = [e.x(0), e.after(e.y(0))];
  if (repeats)
    e.setInts(
      1,
      '',
      repeats.map((r, i) => (from[i]!.length === 1 ? to[i]! : r)),
    );
};

/** Stated sizes of an output axis; scales hold. */
const resize: Edit = (e) => {
  const sizes = listOf(e.node, 3, '');
  const axes = e.node.attributes['axes'];
  const at = axes?.type === 'ints' ? axes.value.map(Number) : sizes?.map((_, i) => i);
  const after = e.after(e.y(0));
  if (sizes && at)
    e.setInts(
      3,
      '',
      sizes.map((_, i) => after[axisOf(at[i]!, after.length)]!),
    );
};

/** Sizes of the pieces; equal shares that are equal no longer are stated from now on. */
const split: Edit = (e) => {
  const axis = axisOf(intOf(e.node, 'axis', 0), e.x(0).length);
  const old = listOf(e.node, 1, 'split') ?? e.node.outputs.map((_, i) => e.y(i)[axis]!.length);
  const kept = e.kept(e.x(0)[axis]!);
  let start = 0;
  const sizes = old.map((size) => {
    const [from, to] = [start, start + size];
    start = to;
    return kept.filter((place) => place >= from && place < to).length;
  });
  if (listOf(e.node, 1, 'split')) e.setInts(1, 'split', sizes);
  else if (new Set(sizes).size > 1) stateSizes(e, sizes);
};

function stateSizes(e: NodeEdit, sizes: readonly number[]): void {
  if (e.opset < 13) e.attributes.set('split', { type: 'ints', value: sizes });
  else e.added.set(1, Tensor.int64([sizes.length], sizes));
  e.attributes.set('num_outputs', undefined);
}

/** Bounds along an axis that was cut: as many places as are left before them. */
const slice: Edit = (e) => {
  const [starts, ends] = [listOf(e.node, 1, 'starts'), listOf(e.node, 2, 'ends')];
  if (!starts || !ends) return;
  for (const { axis, at, start, end, step } of sliceBounds(e.node, e.before(e.x(0))) ?? []) {
    const kept = e.kept(e.x(0)[axis]!);
    if (step !== 1 || kept.length === e.x(0)[axis]!.length) continue;
    const left = (place: number) => kept.filter((k) => k < place).length;
    starts[at] = left(start);
    if (ends[at]! <= e.x(0)[axis]!.length) ends[at] = left(end);
  }
  e.setInts(1, 'starts', starts);
  e.setInts(2, 'ends', ends);
};

/** Places that are left, counted anew. */
const gather: Edit = (e) => {
  const indices = listOf(e.node, 1, '');
  const axis = axisOf(intOf(e.node, 'axis', 0), e.x(0).length);
  const from = e.x(0)[axis]!;
  if (!indices) return;
  const place = new Map(e.kept(from).map((old, now) => [old, now]));
  const now = indices.map((i) => place.get(axisOf(i, from.length)));
  e.setInts(
    1,
    '',
    now.filter((i) => i !== undefined),
  );
};

/** Whole conv groups that are left: channels in, by channels of one group. */
const conv: Edit = (e) => {
  const [x, w] = [e.after(e.x(0)), e.after(e.x(1))];
  if (intOf(e.node, 'group', 1) === 1) return;
  const groups = e.node.op === 'Conv' ? x[1]! / w[1]! : e.kept(e.y(0)[1]!).length / w[1]!;
  e.attributes.set('group', { type: 'int', value: groups });
};

/** Channels of one group are as many as before. */
const groupNorm: Edit = (e) => {
  const axis = e.x(0)[1]!;
  const groups = intOf(e.node, 'num_groups', 1);
  const value = (e.kept(axis).length * groups) / axis.length;
  e.attributes.set('num_groups', { type: 'int', value });
};

/** One line per op whose constants speak of sizes, alphabetical. */
export const EDITS: Readonly<Record<string, Edit>> = {
  Conv: conv,
  ConvTranspose: conv,
  Expand: expand,
  Gather: gather,
  GroupNormalization: groupNorm,
  Reshape: reshape,
  Resize: resize,
  Slice: slice,
  Split: split,
  Tile: tile,
};
