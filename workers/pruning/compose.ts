/** @file Several cuts, one after the other, told as one cut of the first model. */

import type { CutGroup } from './cut/cut.ts';

/**
 * Each report names tensors of the model that its round began with; kept places are carried back to the places of the first model.
 * Tensors are named alike in all of them.
 */
export function composeCuts(rounds: readonly (readonly CutGroup[])[]): CutGroup[] {
  const known = new Map<string, { size: number; kept: readonly number[]; reason: string }>();
  const keyOf = (name: string, axis: number) => JSON.stringify([name, axis]);
  for (const report of rounds)
    for (const { tensors, reason } of report)
      for (const { name, axis, size, kept } of tensors) {
        const before = known.get(keyOf(name, axis));
        known.set(keyOf(name, axis), {
          size: before?.size ?? size,
          kept: before ? kept.map((i) => before.kept[i]!) : kept,
          reason: before?.reason ?? reason,
        });
      }
  const groups = new Map<string, CutGroup>();
  for (const [key, { size, kept, reason }] of known) {
    const [name, axis] = JSON.parse(key) as [string, number];
    const group = groups.get(reason) ?? { tensors: [], reason };
    groups.set(reason, { reason, tensors: [...group.tensors, { name, axis, size, kept }] });
  }
  return [...groups.values()];
}
