/** @file Layers that stay whole because somebody said so. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model, Node, Value } from '../onnx/graph.ts';
import { namePattern } from '../onnx/name-pattern.ts';
import type { Group } from './coupling/groups.ts';

/**
 * Whether a layer is named: by node, by weight, by output, or by a pattern of these with `*`.
 *
 * @throws PATTERN_MATCHES_NOTHING an entry that names nothing in the model
 */
export function isProtected(
  protect: readonly string[],
  model: Model,
): (node: Node, weight: Value) => boolean {
  const patterns = protect.map((entry) => ({ entry, test: namePattern(entry) }));
  for (const { entry, test } of patterns) {
    const known = model.graph.nodes.some(
      (n) =>
        test(n.name) || [...n.inputs, ...n.outputs].some((v) => v !== undefined && test(v.name)),
    );
    if (!known)
      throw new ServiceError('PATTERN_MATCHES_NOTHING', { option: 'protect', pattern: entry });
  }
  return ({ name, outputs }, weight) =>
    patterns.some(
      ({ test }) => test(name) || test(weight.name) || outputs.some((y) => y && test(y.name)),
    );
}

/**
 * The groups none of whose producers is named.
 *
 * @throws PATTERN_MATCHES_NOTHING an entry that names nothing in the model
 */
export function protectedGroups(
  groups: readonly Group[],
  protect: readonly string[],
  model: Model,
): readonly Group[] {
  const named = isProtected(protect, model);
  return groups.filter(({ producers }) => !producers.some((p) => named(p.node, p.weight)));
}
