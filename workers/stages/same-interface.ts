/** @file What callers of a model rely on: its inputs and outputs. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Model, Value } from '../onnx/graph.ts';

const describe = ({ name, type }: Value): string =>
  type?.kind === 'tensor' ? `${name}: ${type.dtype}[${type.shape?.join(', ') ?? '?'}]` : `${name}`;

/**
 * Names, types and shapes of inputs and outputs are those of `before`.
 *
 * @throws INTERNAL where one differs: the stage's own fault
 */
export function expectSameInterface(before: Model, after: Model): void {
  const ports = (model: Model) => [
    ...model.graph.inputs.filter((v) => !v.constant).map((v) => `input ${describe(v)}`),
    ...model.graph.outputs.map((v) => `output ${describe(v)}`),
  ];
  const [was, is] = [ports(before), ports(after)];
  const at = was.findIndex((port, i) => port !== is[i]);
  if (at >= 0 || was.length !== is.length) {
    throw new ServiceError('INTERNAL', {
      what: `the stage changed ${was[at] ?? 'the number of outputs'} to ${is[at] ?? 'nothing'}`,
    });
  }
}
