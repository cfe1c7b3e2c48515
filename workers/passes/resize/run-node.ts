/** @file One node on its own: what the runtime says of its result at other input sizes. */

import type { DType } from '../../onnx/dtype.ts';
import { type Model, type Node, Value } from '../../onnx/graph.ts';
import { bytesOf, Tensor } from '../../onnx/tensor.ts';
import { openSession } from '../../runtime/session.ts';

export interface Operand {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Its elements, where they are known. */
  readonly data: Tensor | undefined;
}

export interface Result {
  readonly dims: readonly (number | undefined)[];
  readonly data: Tensor | undefined;
}

/**
 * Shapes of a node's outputs, and their elements where all inputs are known.
 *
 * @param operands in input order; undefined where the node leaves one out
 * @throws MODEL_CANNOT_RUN the node does not take these sizes
 */
export async function runNode(
  model: Model,
  node: Node,
  operands: readonly (Operand | undefined)[],
): Promise<Result[]> {
  const inputs = operands.map((operand, i) => operand && asValue(operand, `x${i}`));
  const outputs = node.outputs.map((y, i) => y && new Value(`y${i}`));
  const given = inputs.filter((v) => v !== undefined);
  const known = given.every((v) => v.constant);
  const one: Model = {
    ...model,
    irVersion: Math.max(model.irVersion, 4),
    metadata: {},
    graph: {
      name: 'one',
      inputs: given.filter((v) => !v.constant),
      initializers: given.filter((v) => v.constant),
      outputs: outputs.filter((v) => v !== undefined),
      nodes: [{ ...node, name: node.name || node.op, inputs, outputs }],
    },
  };
  const session = await openSession(one, { optimize: 'disabled' });
  try {
    const data = known ? await session.run({}) : {};
    return outputs.map((y) => {
      const port = session.outputs.find((p) => p.name === y?.name);
      const found = y && data[y.name];
      return {
        dims:
          found?.dims ?? (port?.shape ?? []).map((d) => (typeof d === 'number' ? d : undefined)),
        data: found && new Tensor(found.dtype, [...found.dims], bytesOf(found.data)),
      };
    });
  } finally {
    await session.release();
  }
}

function asValue({ dtype, dims, data }: Operand, name: string): Value {
  return new Value(name, { kind: 'tensor', dtype, shape: dims }, data);
}
