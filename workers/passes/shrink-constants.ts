/** @file Constants that hold the same numbers over and over, where broadcasting says it shorter. */

import { byteLength } from '../onnx/dtype.ts';
import { type Model, type Node, shapeKnown, type Value, Value as ValueOf } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { Tensor } from '../onnx/tensor.ts';
import { GraphIndex } from '../onnx/uses.ts';
import type { Pass } from './pass.ts';

/** Ops with two broadcast operands. */
const BROADCASTING = new Set(
  'Add Sub Mul Div Pow Min Max And Or Xor Equal Less Greater'.split(' '),
);
/** Smaller constants are not worth a look; vectors are biases and scales, which runtimes fuse as they are. */
const LEAST_BYTES = 64;
const LEAST_RANK = 2;

/**
 * Along an axis on which the other operand already has the full size, a constant that repeats itself needs only one entry.
 * The same numbers meet as before.
 */
export const shrinkConstants: Pass = {
  summary: 'store constants that repeat along a broadcast axis once',
  run({ graph }: Model) {
    const index = new GraphIndex(graph);
    const names = new Names(graph);
    let shrunk = 0;
    for (const node of graph.nodes) {
      if (!BROADCASTING.has(node.op) || node.domain !== '' || node.inputs.length !== 2) continue;
      for (const i of [0, 1]) {
        const value = node.inputs[i];
        const small = value?.constant && shrink(node, value, node.inputs[1 - i]);
        if (!value || !small) continue;
        node.inputs[i] = store(graph, names, value, small, index.uses(value).length === 1);
        shrunk++;
      }
    }
    return shrunk;
  },
};

function store(
  graph: Model['graph'],
  names: Names,
  value: Value,
  tensor: Tensor,
  only: boolean,
): Value {
  const type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims } as const;
  if (only && !graph.outputs.includes(value)) {
    value.constant = tensor;
    value.type = type;
    return value;
  }
  const copy = new ValueOf(names.fresh(`${value.name}/once`), type, tensor);
  graph.initializers.push(copy);
  return copy;
}

function shrink(node: Node, value: Value, other: Value | undefined): Tensor | undefined {
  const tensor = value.constant!;
  if (tensor.strings || tensor.rest) return undefined;
  if (tensor.bytes.length < LEAST_BYTES || tensor.dims.length < LEAST_RANK) return undefined;
  const [full, out] = [shapeKnown(other), shapeKnown(node.outputs[0])];
  if (!full || !out || out.length !== Math.max(full.length, tensor.dims.length)) return undefined;
  let found: Tensor | undefined;
  for (const axis of tensor.dims.keys()) {
    const at = axis + out.length - tensor.dims.length;
    const meets = full[at - (out.length - full.length)];
    if (tensor.dims[axis]! > 1 && meets === out[at] && typeof meets === 'number')
      found = once(found ?? tensor, axis) ?? found;
  }
  return found;
}

/** The tensor with one entry along `axis`; undefined where its entries differ. */
function once(tensor: Tensor, axis: number): Tensor | undefined {
  const size = tensor.dims[axis]!;
  const inner = byteLength(
    tensor.dtype,
    tensor.dims.slice(axis + 1).reduce((n, d) => n * d, 1),
  );
  const outer = tensor.dims.slice(0, axis).reduce((n, d) => n * d, 1);
  if (outer * size * inner !== tensor.bytes.length) return undefined;
  const kept = Buffer.alloc(outer * inner);
  for (let o = 0; o < outer; o++) {
    const first = Buffer.from(
      tensor.bytes.buffer,
      tensor.bytes.byteOffset + o * size * inner,
      inner,
    );
    for (let k = 1; k < size; k++) {
      const at = (o * size + k) * inner;
      if (first.compare(tensor.bytes, at, at + inner) !== 0) return undefined;
    }
    first.copy(kept, o * inner);
  }
  return new Tensor(
    tensor.dtype,
    tensor.dims.map((d, i) => (i === axis ? 1 : d)),
    new Uint8Array(kept),
  );
}
