/** @file What one channel of a group costs. */

import { macsOf } from '../../onnx/cost.ts';
import { type Model, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import type { AxisSlice, Group } from './groups.ts';

export interface ChannelCost {
  /** Elements of float constants that go with one channel. */
  readonly params: number;
  /** Multiply-accumulates at batch 1 that go with one channel. */
  readonly macs: number;
}

/** Cost of the group's first channel in the model as it stands: others own as many places. */
export function channelCost(model: Model, group: Group): ChannelCost {
  const lost = placesLost([...group.activations, ...group.parameters]);
  const params = [...lost].reduce((sum, [value, axes]) => {
    const tensor = value.constant;
    return tensor && /float/.test(tensor.dtype) ? sum + tensor.size - left(tensor.dims, axes) : sum;
  }, 0);
  const macs = model.graph.nodes
    .filter((node) => [...node.inputs, ...node.outputs].some((v) => v && lost.has(v)))
    .reduce((sum, node) => sum + macsOf(node, model.graph) - macsLeft(node, model, lost), 0);
  return { params, macs };
}

type Lost = ReadonlyMap<Value, ReadonlyMap<number, number>>;

/** Per tensor and axis, how many places the first channel owns. */
function placesLost(slices: readonly AxisSlice[]): Lost {
  const lost = new Map<Value, Map<number, number>>();
  for (const { value, axis, indices } of slices) {
    const axes = lost.get(value) ?? new Map<number, number>();
    lost.set(value, axes.set(axis, indices[0]!.length));
  }
  return lost;
}

const left = (dims: readonly number[], axes: ReadonlyMap<number, number>) =>
  dims.reduce((n, d, axis) => n * (d - (axes.get(axis) ?? 0)), 1);

/** The same node with tensors of the sizes that would be left. */
function macsLeft(node: Node, { graph }: Model, lost: Lost): number {
  const smaller = (value: Value | undefined) => {
    const axes = value && lost.get(value);
    const shape = shapeKnown(value);
    if (!axes || !shape || value.type?.kind !== 'tensor') return value;
    const now = shape.map((d, axis) => (typeof d === 'number' ? d - (axes.get(axis) ?? 0) : d));
    return new Value(value.name, { ...value.type, shape: now });
  };
  const [inputs, outputs] = [node.inputs.map(smaller), node.outputs.map(smaller)];
  return macsOf({ ...node, inputs, outputs }, graph);
}
