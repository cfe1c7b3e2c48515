/** @file Layers that stay whole because somebody said so. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from '../onnx/graph.ts';
import { namePattern } from '../onnx/name-pattern.ts';
import type { Group } from './coupling/groups.ts';

/**
 * The groups none of whose producers is named: by node, by weight, by output, or by a pattern of these with `*`.
 *
 * @throws PATTERN_MATCHES_NOTHING an entry that names nothing in the model
 */
export function protectedGroups(
  groups: readonly Group[],
  protect: readonly string[],
  model: Model,
): readonly Group[] {
  if (protect.length === 0) return groups;
  const patterns = protect.map((entry) => ({ entry, test: namePattern(entry) }));
  for (const { entry, test } of patterns) {
    const known = model.graph.nodes.some(
      (n) =>
        test(n.name) || [...n.inputs, ...n.outputs].some((v) => v !== undefined && test(v.name)),
    );
    if (!known)
      throw new ServiceError('PATTERN_MATCHES_NOTHING', { option: 'protect', pattern: entry });
  }
  return groups.filter(
    ({ producers }) =>
      !producers.some(({ node, weight, output }) =>
        patterns.some(({ test }) => test(node.name) || test(weight.name) || test(output.name)),
      ),
  );
}
