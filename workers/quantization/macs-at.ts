/** @file What every node costs at the size that the model is used at. */

import { cloneModel } from '../onnx/clone.ts';
import { macsOf } from '../onnx/cost.ts';
import type { Model, Node } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';

/** Input name → the shape it is fed. */
export type InputDims = Readonly<Record<string, readonly number[]>>;

/**
 * MACs of every node at batch 1. Dynamic axes are read as `inputDims` fixes them: an unknown height would count as 1
 * and make the last layers look as dear as all the others.
 */
export async function macsAt(model: Model, inputDims: InputDims): Promise<Map<Node, number>> {
  const fixed = cloneModel(model);
  for (const input of fixed.graph.inputs) {
    const shape = inputDims[input.name];
    if (shape && input.type?.kind === 'tensor') input.type = { ...input.type, shape };
  }
  await inferTypes(fixed);
  return new Map(
    model.graph.nodes.map((node, i) => [node, macsOf(fixed.graph.nodes[i]!, fixed.graph)]),
  );
}
