/** @file Groups of a model that was cut before, and the groups of the first model that they are what is left of. */

import type { Group } from './coupling/groups.ts';
import type { CutGroup } from './cut/cut.ts';

const keyOf = (name: string, axis: number) => `${axis} ${name}`;

/**
 * How large a group was in the first model: floors and steps go by that, however many cuts came before.
 *
 * @param groups of the first model
 * @param report of all cuts since, told as one
 * @returns the size; of a group that the first model does not know, its own
 */
export function originalSizes(
  groups: readonly Group[],
  report: readonly CutGroup[],
): (group: Group) => number {
  const sizes = new Map<string, Map<number, number>>();
  for (const { activations, size } of groups)
    for (const { value, axis, indices } of activations) {
      const key = keyOf(value.name, axis);
      const own = sizes.get(key) ?? new Map<number, number>();
      sizes.set(key, own);
      for (const place of indices.flat()) own.set(place, size);
    }
  const kept = new Map(
    report.flatMap(({ tensors }) => tensors).map((t) => [keyOf(t.name, t.axis), t.kept]),
  );
  return ({ activations: [first], size }) => {
    if (first === undefined) return size;
    const key = keyOf(first.value.name, first.axis);
    const place = first.indices[0]![0]!;
    return sizes.get(key)?.get(kept.get(key)?.[place] ?? place) ?? size;
  };
}
