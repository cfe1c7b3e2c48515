/** @file Lists of numbers that tell an op what to do: an attribute in older opsets, a constant input in newer ones. */

import { intsOf } from '../../onnx/attributes.ts';
import type { Node } from '../../onnx/graph.ts';
import { numbersOf } from '../../onnx/values.ts';

/** Undefined: absent, or known only at run time. */
export function listOf(node: Node, input: number, attribute: string): number[] | undefined {
  const constant = node.inputs[input]?.constant;
  if (constant && /int/.test(constant.dtype)) return numbersOf(constant);
  return attribute === '' ? undefined : intsOf(node, attribute);
}
