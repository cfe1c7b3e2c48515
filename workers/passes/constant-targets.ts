/** @file Reshape targets that are put together at run time though the shapes around them say what they are. */

import { intOf } from '../onnx/attributes.ts';
import type { Dim, Node, Value } from '../onnx/graph.ts';
import { type Model, Value as ValueOf } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { Tensor } from '../onnx/tensor.ts';
import type { Pass } from './pass.ts';

/**
 * A Reshape whose result has at most one open size needs no computed target: known sizes as they are, 0 where an open
 * axis keeps its place and its name, −1 for one other. Shape, Gather and Concat that fed it then go.
 */
export const constantTargets: Pass = {
  summary: 'write computed Reshape targets as constants',
  run({ graph }: Model) {
    const names = new Names(graph);
    let changed = 0;
    for (const node of graph.nodes) {
      if (node.op !== 'Reshape' || node.domain !== '' || node.inputs[1]?.constant) continue;
      const target = targetOf(node);
      if (!target) continue;
      const tensor = Tensor.int64([target.length], target);
      const value = new ValueOf(
        names.fresh(`${node.outputs[0]!.name}/shape`),
        { kind: 'tensor', dtype: 'int64', shape: tensor.dims },
        tensor,
      );
      graph.initializers.push(value);
      node.inputs[1] = value;
      changed++;
    }
    return changed;
  },
};

const shapeOf = (v: Value | undefined): readonly Dim[] | undefined =>
  v?.type?.kind === 'tensor' ? v.type.shape : undefined;

function targetOf(node: Node): number[] | undefined {
  const [x, y] = [shapeOf(node.inputs[0]), shapeOf(node.outputs[0])];
  if (!x || !y || intOf(node, 'allowzero', 0) === 1 || y.includes(0)) return undefined;
  const open = y.flatMap((d, i) => (typeof d === 'number' ? [] : [i]));
  const target = y.map((d) => (typeof d === 'number' ? d : -1));
  if (open.length <= 1) return target;
  for (const i of open) if (typeof y[i] === 'string' && y[i] === x[i]) target[i] = 0;
  return target.filter((d) => d === -1).length <= 1 ? target : undefined;
}
