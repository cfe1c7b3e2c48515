import { createHash } from 'node:crypto';
import type { Attribute, Model, Node } from '../onnx/graph.ts';
import { Tensor } from '../onnx/tensor.ts';
import { replaceUses } from '../onnx/uses.ts';
import { makeTensor } from '../onnx/values.ts';
import type { Pass } from './pass.ts';

/** Constant nodes become initializers. */
export const liftConstants: Pass = {
  summary: 'turn Constant nodes into initializers',
  run({ graph }: Model) {
    const constants = graph.nodes.filter(
      (n) => n.op === 'Constant' && n.domain === '' && tensorOfConstant(n),
    );
    for (const node of constants) {
      const value = node.outputs[0]!;
      if (graph.outputs.includes(value)) continue;
      const tensor = tensorOfConstant(node)!;
      value.constant = tensor;
      value.type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims };
      graph.initializers.push(value);
    }
    const lifted = new Set(constants.filter((n) => n.outputs[0]!.constant));
    graph.nodes = graph.nodes.filter((n) => !lifted.has(n));
    return lifted.size;
  },
};

function tensorOfConstant(node: Node): Tensor | undefined {
  const [entry] = Object.entries(node.attributes) as [string, Attribute][];
  if (!entry) return undefined;
  const [, a] = entry;
  if (a.type === 'tensor')
    return new Tensor(
      a.value.dtype,
      a.value.dims,
      a.value.bytes,
      a.value.strings ? { strings: a.value.strings } : {},
    );
  if (a.type === 'float') return Tensor.float32([], [a.value]);
  if (a.type === 'floats') return Tensor.float32([a.value.length], a.value);
  if (a.type === 'int' && typeof a.value === 'number') return makeTensor('int64', [], [a.value]);
  if (a.type === 'ints' && a.value.every((x) => typeof x === 'number'))
    return makeTensor('int64', [a.value.length], a.value as number[]);
  return undefined;
}

/** Initializers that hold the same are stored once. */
export const mergeEqualConstants: Pass = {
  summary: 'store equal constants once',
  run({ graph }: Model) {
    const first = new Map<string, (typeof graph.initializers)[number]>();
    let merged = 0;
    for (const value of graph.initializers) {
      const tensor = value.constant;
      if (
        !tensor ||
        tensor.strings ||
        graph.inputs.includes(value) ||
        graph.outputs.includes(value)
      )
        continue;
      const key = `${tensor.dtype}[${tensor.dims}]${createHash('sha256').update(tensor.bytes).digest('base64')}`;
      const known = first.get(key);
      if (known) {
        replaceUses(graph, value, known);
        merged++;
      } else first.set(key, value);
    }
    return merged;
  },
};
