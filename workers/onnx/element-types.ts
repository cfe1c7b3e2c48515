/** @file Which inputs of an op must share one element type. Cheap to look at, and the fault that hand-edited files have most. */

import type { DType } from './dtype.ts';
import { dtypeKnown, type Node, type Value } from './graph.ts';

const FLOATS: ReadonlySet<DType> = new Set(['float32', 'float64', 'float16', 'bfloat16']);

/** Ops whose inputs are all floats of one type. */
const FLOAT_OPS: ReadonlySet<string> = new Set([
  'Conv',
  'ConvTranspose',
  'InstanceNormalization',
  'GroupNormalization',
]);

/** Ops whose inputs are all of one type, whichever that is. */
const ONE_TYPE_OPS: ReadonlySet<string> = new Set([
  'Add',
  'Concat',
  'Div',
  'Gemm',
  'MatMul',
  'Max',
  'Mean',
  'Min',
  'Mul',
  'PRelu',
  'Sub',
  'Sum',
]);

/** What is wrong with the element types of a node's inputs, as far as the file states them; undefined: nothing. */
export function typeFault(node: Node): string | undefined {
  const onlyFloats = FLOAT_OPS.has(node.op);
  if (node.domain !== '' || !(onlyFloats || ONE_TYPE_OPS.has(node.op))) return undefined;
  const typed = node.inputs.filter(
    (v): v is Value => v !== undefined && dtypeKnown(v) !== undefined,
  );
  const wrong = typed.find((v) => onlyFloats && !FLOATS.has(dtypeKnown(v)!));
  if (wrong)
    return `its input '${wrong.name}' has elements of type ${dtypeKnown(wrong)}; a ${node.op} takes floats`;
  const other = typed.find((v) => dtypeKnown(v) !== dtypeKnown(typed[0]!));
  return (
    other &&
    `its inputs '${typed[0]!.name}' (${dtypeKnown(typed[0]!)}) and '${other.name}' (${dtypeKnown(other)}) must have one element type`
  );
}
