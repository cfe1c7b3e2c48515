/** @file Which axes of a reshaped tensor are which axes of the original. */

/** Neighbouring axes that together hold the same elements on both sides of a reshape. */
export interface ReshapeGroup {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * Split two shapes of equal size into the smallest runs of axes with equal products. A group of one axis on each
 * side is an axis that survives; axes of size 1 without a counterpart form groups of their own.
 *
 * [1, 2, 64, 100] → [1, 128, 10, 10] gives 0→0, 1·2→1, 3→2·3. Both shapes hold at least one element.
 */
export function reshapeGroups(from: readonly number[], to: readonly number[]): ReshapeGroup[] {
  const groups: ReshapeGroup[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    if (i < from.length && from[i] === to[j]) {
      groups.push({ from: [i++], to: [j++] });
      continue;
    }
    // A lone 1 on one side has no counterpart.
    if (from[i] === 1 || j >= to.length) groups.push({ from: [i++], to: [] });
    else if (to[j] === 1 || i >= from.length) groups.push({ from: [], to: [j++] });
    else {
      const [a, b] = [[i], [j]];
      let [m, n] = [from[i++]!, to[j++]!];
      while (m !== n) {
        if (m < n) {
          m *= from[i]!;
          a.push(i++);
        } else {
          n *= to[j]!;
          b.push(j++);
        }
      }
      groups.push({ from: a, to: b });
    }
  }
  return groups;
}
