/** @file The couplings of a group in words. */

import { type Model, type Node, nodeLabel, type Value } from '../../onnx/graph.ts';
import type { Layer } from './layers.ts';
import type { OwnedSlice } from './places.ts';

/** One line for each node that makes, ties, carries elsewhere or takes in the channels, in graph order. */
export function whyCoupled(
  { graph }: Model,
  slices: readonly OwnedSlice[],
  producers: readonly Layer[],
  consumers: readonly Layer[],
): string[] {
  const axes = new Map<Value, number[]>();
  for (const { value, axis, slot } of slices)
    if (!slot.use) axes.set(value, [...(axes.get(value) ?? []), axis]);
  const roles = (layers: readonly Layer[]) => new Set(layers.map(({ node }) => node));
  const [made, taken] = [roles(producers), roles(consumers)];
  return graph.nodes.flatMap((node) => {
    const role = roleOf(node, made.has(node), taken.has(node), axes);
    return role ? [`${node.op} '${nodeLabel(node)}' ${role}`] : [];
  });
}

function roleOf(
  node: Node,
  makes: boolean,
  takes: boolean,
  axes: ReadonlyMap<Value, number[]>,
): string | undefined {
  const into = [...new Set(node.inputs)].filter((x) => x && !x.constant && axes.has(x));
  const out = node.outputs.some((y) => y && axes.has(y));
  if (makes && into.length > 0) return 'has them on both sides';
  if (makes) return 'makes them';
  if (takes) return 'takes them in';
  if (into.length > 1 && out) return `ties ${into.map((x) => `'${x!.name}'`).join(' and ')}`;
  if (into.length > 0 && !out) return 'sums them away';
  return undefined;
}
