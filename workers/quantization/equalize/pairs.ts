/** @file Where a factor per channel can move from one layer into the next without changing what the model computes. */

import { intOf } from '../../onnx/attributes.ts';
import { type Graph, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import { weightIndex } from '../../onnx/trained.ts';
import { GraphIndex } from '../../onnx/uses.ts';

/** A constant, and along which of its axes the channels lie. */
export interface Scaled {
  readonly value: Value;
  readonly axis: number;
}

/** Divide `makers` by a factor per channel, multiply `readers` by it: the outputs stay as they are. */
export interface Pair {
  /** The tensor between: what the readers read. */
  readonly tensor: Value;
  /** Its channel axis, counted from the front. */
  readonly axis: number;
  readonly channels: number;
  readonly makers: readonly Scaled[];
  readonly readers: readonly Scaled[];
}

/** f(s·x) = s·f(x) for every s > 0. */
const HOMOGENEOUS: ReadonlySet<string> = new Set(['Relu', 'LeakyRelu', 'PRelu', 'Identity']);

/** Every pair of the graph. Needs types. */
export function pairsOf(graph: Graph): Pair[] {
  const index = new GraphIndex(graph);
  const given = new Set([...graph.inputs, ...graph.outputs]);
  const own = (v: Value) =>
    v.constant?.dtype === 'float32' && index.uses(v).length === 1 && !given.has(v);
  const tensors = new Set(graph.nodes.flatMap((n) => readTensor(n) ?? []));
  return [...tensors].flatMap((tensor) => {
    if (index.isOutput(tensor)) return [];
    const rank = shapeKnown(tensor)?.length ?? 0;
    const readers = readersOf(tensor, rank, index);
    const made = readers && makersOf(tensor, rank, index);
    if (!readers || !made) return [];
    const all = [...made.makers, ...readers.scaled];
    const fits = all.every(
      ({ value, axis }) => own(value) && channelsIn(value, axis, made.channels),
    );
    return fits && readers.axis === made.axis
      ? [
          {
            tensor,
            axis: made.axis,
            channels: made.channels,
            makers: made.makers,
            readers: readers.scaled,
          },
        ]
      : [];
  });
}

const channelsIn = ({ constant }: Value, axis: number, channels: number): boolean =>
  constant!.dims[axis] === channels;

/** What a product multiplies its weight with. */
function readTensor(node: Node): Value | undefined {
  return weightIndex(node) === 1 && node.op !== 'ConvTranspose' ? node.inputs[0] : undefined;
}

/** All readers are products whose weights have the tensor's channels on an axis of their own. */
function readersOf(tensor: Value, rank: number, index: GraphIndex) {
  const scaled: Scaled[] = [];
  let axis: number | undefined;
  for (const { node, index: at } of index.uses(tensor)) {
    const found = at === 0 ? readerOf(node, rank) : undefined;
    if (!found || (axis !== undefined && axis !== found.axis)) return undefined;
    axis = found.axis;
    scaled.push({ value: node.inputs[1]!, axis: found.weightAxis });
  }
  return axis === undefined ? undefined : { axis, scaled };
}

function readerOf(node: Node, rank: number): { axis: number; weightAxis: number } | undefined {
  if (weightIndex(node) !== 1) return undefined;
  const dims = node.inputs[1]!.constant!.dims;
  if (node.op === 'Conv') {
    const group = intOf(node, 'group', 1);
    if (group === 1) return { axis: 1, weightAxis: 1 };
    // Depth-wise, one output for each input.
    return group === dims[0] && dims[1] === 1 ? { axis: 1, weightAxis: 0 } : undefined;
  }
  if (dims.length !== 2 || rank < 2) return undefined;
  if (node.op === 'MatMul') return { axis: rank - 1, weightAxis: 0 };
  if (node.op !== 'Gemm' || intOf(node, 'transA', 0) === 1) return undefined;
  return { axis: 1, weightAxis: intOf(node, 'transB', 0) === 1 ? 1 : 0 };
}

interface Makers {
  readonly axis: number;
  readonly channels: number;
  readonly makers: Scaled[];
}

/** The constants that make the tensor's channels as large as they are; nobody else reads what lies between. */
function makersOf(tensor: Value, rank: number, index: GraphIndex): Makers | undefined {
  let node = index.producer(tensor);
  const between = () =>
    node !== undefined &&
    index.uses(node.inputs[0]!).length === 1 &&
    !index.isOutput(node.inputs[0]!);
  while (node && HOMOGENEOUS.has(node.op) && between()) node = index.producer(node.inputs[0]!);
  if (node?.domain !== '') return undefined;
  if (node.op === 'Conv' && weightIndex(node) === 1) return outputsOf(node, 0, 1);
  if (node.op === 'Gemm' && weightIndex(node) === 1)
    return outputsOf(node, intOf(node, 'transB', 0) === 1 ? 0 : 1, 1);
  if (
    node.op === 'MatMul' &&
    weightIndex(node) === 1 &&
    node.inputs[1]!.constant!.dims.length === 2
  )
    return outputsOf(node, 1, rank - 1);
  if (node.op === 'LayerNormalization') return outputsOf(node, 0, rank - 1);
  return node.op === 'Add' ? affineOf(node, rank, index) : undefined;
}

/** A weight (or a norm's scale) with outputs on `weightAxis`, and the bias behind it. */
function outputsOf(node: Node, weightAxis: number, axis: number): Makers | undefined {
  const [, weight, bias] = node.inputs;
  const channels = weight?.constant?.dims[weightAxis];
  if (!weight?.constant || channels === undefined) return undefined;
  if (node.op === 'LayerNormalization' && weight.constant.dims.length !== 1) return undefined;
  const makers = [{ value: weight, axis: weightAxis }];
  if (bias && bias.constant?.dims.length !== 1) return undefined;
  if (bias) makers.push({ value: bias, axis: 0 });
  return { axis, channels, makers };
}

/** x·γ + β with vectors on the last axis, as norms are written in older opsets; also a MatMul and its bias. */
function affineOf(add: Node, rank: number, index: GraphIndex): Makers | undefined {
  const beta = vectorOf(add);
  if (!beta) return undefined;
  const x = add.inputs.find((v) => v !== beta)!;
  const maker = index.producer(x);
  if (!maker || index.uses(x).length !== 1 || index.isOutput(x)) return undefined;
  const channels = beta.constant!.dims[0]!;
  const bias = { value: beta, axis: 0 };
  if (
    maker.op === 'MatMul' &&
    weightIndex(maker) === 1 &&
    maker.inputs[1]!.constant!.dims.length === 2
  )
    return { axis: rank - 1, channels, makers: [{ value: maker.inputs[1]!, axis: 1 }, bias] };
  const gamma = maker.op === 'Mul' ? vectorOf(maker) : undefined;
  return gamma && { axis: rank - 1, channels, makers: [{ value: gamma, axis: 0 }, bias] };
}

const vectorOf = (node: Node): Value | undefined =>
  node.inputs.find((v) => v?.constant?.dims.length === 1 && v.constant.size > 1);
