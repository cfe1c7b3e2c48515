/** @file Reshape targets that are put together at run time though the shapes around them say what they are. */

import { intOf } from '../onnx/attributes.ts';
import { type Dim, type Model, type Node, shapeKnown, Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { Tensor } from '../onnx/tensor.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { numbersOf } from '../onnx/values.ts';
import type { Pass } from './pass.ts';

/**
 * A computed target with at most one entry of unknown origin becomes a constant: known sizes as they are, 0 where an open
 * axis keeps its place, −1 for the one that is left. Shape, Gather and Concat that fed it then go.
 */
export const constantTargets: Pass = {
  summary: 'write computed Reshape targets as constants',
  run({ graph }: Model) {
    const names = new Names(graph);
    const index = new GraphIndex(graph);
    let changed = 0;
    for (const node of graph.nodes) {
      if (node.op !== 'Reshape' || node.domain !== '' || node.inputs[1]?.constant) continue;
      const target = targetOf(node, index);
      if (!target) continue;
      const tensor = Tensor.int64([target.length], target);
      const type = { kind: 'tensor', dtype: 'int64', shape: tensor.dims } as const;
      const value = new Value(names.fresh(`${node.outputs[0]!.name}/shape`), type, tensor);
      graph.initializers.push(value);
      node.inputs[1] = value;
      changed++;
    }
    return changed;
  },
};

function targetOf(node: Node, index: GraphIndex): number[] | undefined {
  const [x, y] = [shapeKnown(node.inputs[0]), shapeKnown(node.outputs[0])];
  if (!x || intOf(node, 'allowzero', 0) === 1) return undefined;
  const entries = entriesOf(node.inputs[1], index) ?? y?.map((d): Entry => known(d));
  const target = entries?.map((entry, i) => {
    const inferred = y?.[i];
    if (typeof inferred === 'number') return inferred;
    if (typeof entry === 'number') return entry;
    const same = entry?.value === node.inputs[0] && entry?.axis === i;
    const name = entry && shapeKnown(entry.value)?.[entry.axis];
    return same || (typeof name === 'string' && name === x[i]) ? 0 : -1;
  });
  if (!target || target.filter((d) => d === -1).length > 1) return undefined;
  // A 0 that was a size, not a sign, would now mean another thing.
  return y?.includes(0) ? undefined : target;
}

/** One element of a shape that is computed: a number, or an axis of a value. */
type Entry = number | { readonly value: Value; readonly axis: number } | undefined;

const known = (d: Dim | undefined): Entry => (typeof d === 'number' ? d : undefined);

/** The elements of a one-dimensional integer value, as far as they can be traced; undefined: not even their number. */
function entriesOf(value: Value | undefined, index: GraphIndex, depth = 16): Entry[] | undefined {
  if (!value || depth === 0) return undefined;
  if (value.constant) return numbersOf(value.constant);
  const node = index.producer(value);
  if (node?.domain !== '') return undefined;
  const [x] = node.inputs;
  switch (node.op) {
    case 'Shape': {
      const dims = shapeKnown(x)?.map((d, axis): Entry => known(d) ?? { value: x!, axis });
      return dims?.slice(intOf(node, 'start', 0), intOf(node, 'end', dims.length));
    }
    case 'Gather': {
      const from = entriesOf(x, index, depth - 1);
      const picked = node.inputs[1]?.constant;
      return from && picked && numbersOf(picked).map((i) => from.at(i));
    }
    case 'Concat': {
      const parts = node.inputs.map((v) => entriesOf(v, index, depth - 1));
      return parts.every((p) => p !== undefined) ? parts.flat() : undefined;
    }
    case 'Cast':
    case 'Identity':
    case 'Squeeze':
    case 'Unsqueeze':
      return entriesOf(x, index, depth - 1);
    default: {
      const shape = shapeKnown(value);
      const one = shape?.length === 0 || (shape?.length === 1 && shape[0] === 1);
      return one ? [undefined] : undefined;
    }
  }
}
