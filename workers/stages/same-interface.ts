/** @file What callers of a model rely on: its inputs and outputs. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model, Value } from '../onnx/graph.ts';

const describe = ({ name, type }: Value): string =>
  type?.kind === 'tensor' ? `${name}: ${type.dtype}[${type.shape?.join(', ') ?? '?'}]` : `${name}`;

/**
 * Inputs are those of `before`, and so are outputs, except that an output's shape may be known better than before.
 *
 * @throws INTERNAL where one differs: the stage's own fault
 */
export function expectSameInterface(before: Model, after: Model): void {
  const inputs = ({ graph }: Model) => graph.inputs.filter((v) => !v.constant);
  compare('input', inputs(before), inputs(after), (a, b) => describe(a) === describe(b));
  compare('output', before.graph.outputs, after.graph.outputs, isOrRefines);
}

function compare(
  what: string,
  was: readonly Value[],
  is: readonly Value[],
  same: (a: Value, b: Value) => boolean,
): void {
  const at = was.findIndex((port, i) => !is[i] || !same(port, is[i]));
  if (at < 0 && was.length === is.length) return;
  const before = was[at] ? `${what} ${describe(was[at])}` : `the number of ${what}s`;
  const after = is[at] ? `${what} ${describe(is[at])}` : `${is.length} ${what}s`;
  throw new ServiceError('INTERNAL', { what: `the stage changed ${before} to ${after}` });
}

/** The same, or with sizes in place of axes that had only a name or nothing. */
function isOrRefines(before: Value, after: Value): boolean {
  const [a, b] = [before.type, after.type];
  if (a?.kind !== 'tensor' || b?.kind !== 'tensor') return describe(before) === describe(after);
  if (before.name !== after.name || a.dtype !== b.dtype) return false;
  if (!a.shape) return true;
  const fits = (d: unknown, i: number) => typeof d !== 'number' || d === b.shape?.[i];
  return a.shape.length === b.shape?.length && a.shape.every(fits);
}
