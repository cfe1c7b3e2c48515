/** @file New constants into a graph where uses of one constant may now differ. */

import { type Graph, type Node, nodeLabel, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import type { Tensor } from '../../onnx/tensor.ts';

/** What one use of a constant holds from now on. */
export interface ConstantUse {
  readonly node: Node;
  readonly index: number;
  readonly value: Value;
  readonly tensor: Tensor;
}

/**
 * Store every use's tensor. A constant keeps its name for the tensor that most of its uses want, the first of them in
 * doubt; for the others it is stored again under a new name. A constant without a name is new.
 */
export function writeConstants(graph: Graph, uses: readonly ConstantUse[]): void {
  const names = new Names(graph);
  for (const [value, own] of Map.groupBy(uses, (use) => use.value)) {
    const wanted = [...Map.groupBy(own, ({ tensor }) => keyOf(tensor)).values()];
    const [first, ...others] = wanted.sort((a, b) => b.length - a.length);
    store(value, first![0]!.tensor);
    if (value.name === '') add(graph, value, names.fresh(`${nodeLabel(own[0]!.node)}/sizes`));
    for (const more of others) {
      const copy = new Value('');
      store(copy, more[0]!.tensor);
      add(graph, copy, names.fresh(value.name));
      for (const { node, index } of more) node.inputs[index] = copy;
    }
  }
}

function add(graph: Graph, value: Value, name: string): void {
  value.name = name;
  graph.initializers.push(value);
}

function store(value: Value, tensor: Tensor): void {
  value.constant = tensor;
  value.type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims };
}

/** Equal for equal tensors. Large ones are told apart by identity: a weight's uses share one tensor. */
function keyOf(tensor: Tensor): unknown {
  return tensor.bytes.length > 4096
    ? tensor
    : `${tensor.dtype}[${tensor.dims}]${Buffer.from(tensor.bytes).toString('base64')}`;
}
