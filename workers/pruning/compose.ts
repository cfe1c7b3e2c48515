/** @file Several cuts, one after the other, told as one cut of the first model. */

import type { CutGroup } from './cut/cut.ts';

type Tensor = CutGroup['tensors'][number];

const keyOf = ({ name, axis }: Tensor) => JSON.stringify([name, axis]);

/**
 * Each report names tensors of the model that its round began with; kept places are carried back to the places of the first model.
 * Tensors are named alike in all of them. One report may name a tensor in several groups, as what a Concat joins: always with
 * all places of it that are left.
 */
export function composeCuts(rounds: readonly (readonly CutGroup[])[]): CutGroup[] {
  const known = new Map<string, Tensor>();
  const groups = new Map<string, Set<string>>();
  for (const report of rounds) {
    const earlier = new Map(known);
    for (const { tensors, reason } of report)
      for (const tensor of tensors) {
        const key = keyOf(tensor);
        const before = earlier.get(key);
        known.set(key, before ? after(before, tensor) : tensor);
        if (before === undefined) groups.set(reason, (groups.get(reason) ?? new Set()).add(key));
      }
  }
  return [...groups].map(([reason, keys]) => ({
    tensors: [...keys].map((key) => known.get(key)!),
    reason,
  }));
}

const after = (before: Tensor, { kept }: Tensor): Tensor => ({
  ...before,
  kept: kept.map((place) => before.kept[place]!),
});
