/** @file A large window of MaxPool, one axis after the other. */

import { intOf, ints, intsOf, stringOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import { type Node, Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';

/** Comparisons that it has to save: each of the two passes writes numbers and indices of its own. */
const WORTH = 2;

/**
 * The node is made two: max over each row of the window, then over those. That costs k + l comparisons instead of k·l, and finds the
 * same place: of equal numbers the first row, in it the first column.
 *
 * @returns indices into the flattened x, of every y; undefined: the node stays as it is
 */
export function separate(g: GraphBuilder, node: Node, x: Value, y: Value): Value | undefined {
  const kernel = intsOf(node, 'kernel_shape', []);
  const [k, l] = kernel as [number, number];
  if (kernel.length !== 2 || k * l < WORTH * (k + l) || !isPlain(node)) return undefined;
  const [[n, c, h], width] = [shapeOf(x) as [number, number, number], shapeOf(y)[3]!];
  const rows = indexed(g, `${y.name}/rows`, [n, c, h, width], x);
  const [ofNode, before] = [node.attributes, g.graph.nodes.indexOf(node)];
  const along = (axis: 0 | 1) => ({
    ...ofNode,
    ...Object.fromEntries(
      Object.entries(LISTS).map(([name, none]) => {
        const all = intsOf(node, name, new Array(name === 'pads' ? 4 : 2).fill(none));
        return [name, ints(all.map((v, i) => (i % 2 === axis ? v : none)))];
      }),
    ),
  });
  const first: Node = {
    ...{ name: `${node.name}/rows`, op: 'MaxPool', domain: '', attributes: along(1) },
    ...{ inputs: [x], outputs: [rows.value, rows.indices] },
  };
  g.graph.nodes.splice(before, 0, first);
  const columns = indexed(g, y.name, shapeOf(y), y);
  node.attributes = along(0);
  node.inputs = [rows.value];
  node.outputs = [y, columns.indices];
  const flat = (v: Value) => g.reshape(v, [sizeOf(shapeOf(v))]);
  const [all, at] = [flat(rows.indices), flat(columns.indices)];
  // Gather copies one number at a time, and takes twice as long.
  return g.op('GatherElements', [all, at], shapeOf(at), {}, 'int64');
}

/** Attributes with a number per axis, and what an axis has that is left alone. */
const LISTS = { kernel_shape: 1, strides: 1, dilations: 1, pads: 0 } as const;

const isPlain = (node: Node) =>
  node.outputs[1] === undefined &&
  intOf(node, 'ceil_mode', 0) === 0 &&
  stringOf(node, 'auto_pad', 'NOTSET') === 'NOTSET';

function indexed(g: GraphBuilder, name: string, shape: readonly number[], like: Value) {
  const value = new Value(g.name(name), {
    ...{ kind: 'tensor', dtype: dtypeOf(like), shape },
  });
  const indices = new Value(g.name(`${name}/indices`), { kind: 'tensor', dtype: 'int64', shape });
  return { value, indices };
}

const dtypeOf = ({ type }: Value) => (type?.kind === 'tensor' ? type.dtype : 'float32');
