/** @file How a rule says no to one form of its op. */

import { ServiceError } from '../../src/contract/errors.ts';
import { type Node, nodeLabel } from '../onnx/graph.ts';
import { numbersOf } from '../onnx/values.ts';

/** @throws OP_NOT_DIFFERENTIABLE always, naming op and node */
export function refuse(node: Node, why: string): never {
  const op = node.domain === '' ? node.op : `${node.domain}.${node.op}`;
  throw new ServiceError('OP_NOT_DIFFERENTIABLE', { op, node: nodeLabel(node), why });
}

/** Numbers of an input that must be a constant for its op to have a gradient graph; undefined where it is left out. */
export function constantInput(node: Node, i: number): number[] | undefined {
  const value = node.inputs[i];
  if (value === undefined) return undefined;
  if (value.constant) return numbersOf(value.constant);
  return refuse(
    node,
    `its input '${value.name}' decides shapes or places and is not a constant (simplify the model first)`,
  );
}
