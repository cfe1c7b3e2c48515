/** @file How changed axes go through a reshape. */

import { reshapeGroups } from '../../runtime/reshape-groups.ts';
import { type Axis, atom, axisSize, type Factor, isChanged, sizesOf } from './axes.ts';

/**
 * The axes of a reshaped tensor: its old sizes `to` are known, the new ones follow from the factors of `from`, taken in order.
 *
 * @param open index of the target's −1: the axis that the exporter let follow; settles how a changed axis is split
 * @returns the axes, or why they cannot be told
 */
export function reshapeAxes(
  from: readonly Axis[],
  to: readonly number[],
  open: number | undefined,
): readonly Axis[] | string {
  const old = sizesOf(from, 'old');
  if ([...old, ...to].some((d) => d <= 0)) return 'a tensor without elements cannot be followed';
  const out: Axis[] = to.map((d) => atom(d, d));
  /** Changed axes of old size 1 (a batch) that found no place yet. */
  let waiting: Factor[] = [];
  let fresh: number | undefined;
  for (const group of reshapeGroups(old, to)) {
    if (group.to.length === 0) {
      waiting.push(...group.from.flatMap((i) => (isChanged(from[i]!) ? from[i]!.flat() : [])));
      continue;
    }
    if (group.from.length === 0) {
      fresh = group.to[0]!;
      continue;
    }
    const axes = group.from.map((i) => from[i]!);
    if (axes.length === 1 && group.to.length === 1 && waiting.length === 0) {
      const lead = fresh === undefined ? undefined : leadingOne(axes[0]!);
      if (!lead) out[group.to[0]!] = axes[0]!;
      else {
        out[fresh!] = [[lead]];
        out[group.to[0]!] = [axes[0]![0]!.slice(1)];
      }
    } else {
      const factors = factorsOf(axes);
      if (typeof factors === 'string') return factors;
      const all = [...waiting, ...factors];
      if (fresh !== undefined && all[0]?.old === 1 && all[0].now !== 1)
        out[fresh] = [[all.shift()!]];
      const dealt = deal(all, group.to, to, open);
      if (typeof dealt === 'string') return dealt;
      for (const [k, j] of group.to.entries()) out[j] = dealt[k]!;
    }
    waiting = [];
    fresh = undefined;
  }
  return waiting.length > 0 ? 'an axis of size 1 that grows has no place in the result' : out;
}

const leadingOne = (axis: Axis): Factor | undefined => {
  const first = axis.length === 1 && axis[0]!.length > 1 ? axis[0]![0] : undefined;
  return first?.old === 1 && first.now !== 1 ? first : undefined;
};

function factorsOf(axes: readonly Axis[]): Factor[] | string {
  const factors: Factor[] = [];
  for (const axis of axes) {
    if (axis.length === 1) factors.push(...axis[0]!);
    else if (!isChanged(axis))
      factors.push(atom(axisSize(axis, 'old'), axisSize(axis, 'old'))[0]![0]!);
    else return 'an axis that joins several tensors of changed size is merged with another';
  }
  return factors;
}

/** Deal factors in order to the axes of a group, so that old sizes are met. */
function deal(
  factors: readonly Factor[],
  group: readonly number[],
  to: readonly number[],
  open: number | undefined,
): Axis[] | string {
  const rest = [...factors];
  const out: Axis[] = [];
  for (const j of group) {
    const own: Factor[] = [];
    let size = 1;
    while (size < to[j]! || (own.length === 0 && rest[0]?.old === 1)) {
      const next = rest.shift();
      if (!next) return 'its sizes do not fit';
      if (to[j]! % (size * next.old) === 0) {
        own.push(next);
        size *= next.old;
        continue;
      }
      const first = to[j]! / size;
      if (next.old % first !== 0) return 'it cuts across axes that change';
      const parts = split(next, first, j === open, group.includes(open ?? -1));
      if (typeof parts === 'string') return parts;
      own.push(parts[0]);
      rest.unshift(parts[1]);
      size *= first;
    }
    out.push([own.length > 0 ? own : [{ old: 1, now: 1 }]]);
  }
  // What is left has old size 1: it belongs to the last axis.
  if (rest.some((f) => f.old !== 1)) return 'its sizes do not fit';
  if (rest.length > 0) out[out.length - 1] = [[...out.at(-1)![0]!, ...rest]];
  return out;
}

/** One factor becomes two, of old sizes `first` and the rest. */
function split(
  factor: Factor,
  first: number,
  firstIsOpen: boolean,
  oneIsOpen: boolean,
): [Factor, Factor] | string {
  const second = factor.old / first;
  if (factor.old === factor.now)
    return [
      { old: first, now: first },
      { old: second, now: second },
    ];
  if (!oneIsOpen)
    return `it splits an axis of ${factor.old} into ${first}·${second}, and nothing says which of them follows the size`;
  const fixed = firstIsOpen ? second : first;
  if (factor.now % fixed !== 0) return `its axis of ${factor.now} cannot be split by ${fixed}`;
  const follows = factor.now / fixed;
  return firstIsOpen
    ? [
        { old: first, now: follows },
        { old: second, now: second },
      ]
    : [
        { old: first, now: first },
        { old: second, now: follows },
      ];
}
