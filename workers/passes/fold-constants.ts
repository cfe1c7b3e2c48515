/** @file What does not depend on the input is computed once, here. */

import { intOf, subgraphsOf } from '../onnx/attributes.ts';
import { cloneModel } from '../onnx/clone.ts';
import { byteLength } from '../onnx/dtype.ts';
import {
  type Graph,
  type Model,
  type Node,
  nodeLabel,
  shapeKnown,
  type Value,
} from '../onnx/graph.ts';
import { bytesOf, Tensor } from '../onnx/tensor.ts';
import { GraphIndex, valuesUsedIn } from '../onnx/uses.ts';
import { numbersOf } from '../onnx/values.ts';
import { openSession } from '../runtime/session.ts';
import { subByteValues } from '../runtime/sub-byte.ts';
import { withOutputs } from '../runtime/taps.ts';
import type { Pass, PassContext } from './pass.ts';

/** Different at every run, or meant to stay: quantized weights are small because nobody folds them. */
const NEVER_FOLDED =
  /^(Random|Bernoulli|Multinomial|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear)/;

/** A result larger than this is not even computed. */
const LARGEST_RESULT = 2 ** 28;
/** Results up to this size are always worth it. */
const SMALL = 256;
/** About what a node takes in the file: op, names, attributes. */
const NODE_BYTES = 80;

/**
 * Fold every node whose inputs are all constants, and what is known of shapes without running. A result is stored where it
 * takes no more room than what it replaces, or is small, or fits in the context's allowance; a node whose result is not
 * (a wide Expand or Tile) stays, and what feeds it is folded.
 */
export const foldConstants: Pass = {
  summary: 'compute what does not depend on the input',
  async run(model, context) {
    const known = foldShapes(model.graph);
    return known + (await foldNodes(model, context));
  },
};

/** The same without what shapes say: the result still fits any input size. */
export const foldConstantNodes: Pass = {
  summary: 'compute what depends on constants only',
  run: foldNodes,
};

/** Shape, Size and single entries of a Shape, where types know them. */
function foldShapes(graph: Graph): number {
  const producers = new Map(graph.nodes.flatMap((n) => n.outputs.map((y) => [y, n] as const)));
  let folded = 0;
  for (const node of graph.nodes) {
    const y = node.outputs[0];
    if (node.domain !== '' || !y || graph.outputs.includes(y)) continue;
    const found = knownShape(node, producers);
    if (!found) continue;
    setConstant(graph, y, Tensor.int64(found.dims, found.data));
    folded++;
  }
  graph.nodes = graph.nodes.filter((n) => !n.outputs.some((y) => y?.constant));
  return folded;
}

function knownShape(
  node: Node,
  producers: ReadonlyMap<Value | undefined, Node>,
): { dims: number[]; data: number[] } | undefined {
  if (node.op === 'Size') {
    const dims = shapeSeen(node.inputs[0]);
    const data = dims?.every((d) => d !== undefined)
      ? [dims.reduce((n, d) => n * d, 1)]
      : undefined;
    return data && { dims: [], data };
  }
  if (node.op === 'Shape') {
    const dims = shapeEntries(node);
    return dims?.every((d) => d !== undefined) ? { dims: [dims.length], data: dims } : undefined;
  }
  const shape = producers.get(node.inputs[0]);
  const picked = node.inputs[1]?.constant;
  if (node.op !== 'Gather' || shape?.op !== 'Shape' || !picked) return undefined;
  const entries = shapeEntries(shape);
  const data = entries && numbersOf(picked).map((i) => entries.at(i));
  return data?.every((d) => d !== undefined) ? { dims: [...picked.dims], data } : undefined;
}

/** The known sizes of a value's axes; undefined entries are open. */
function shapeSeen(v: Value | undefined): (number | undefined)[] | undefined {
  const shape = v?.constant?.dims ?? shapeKnown(v);
  return shape?.map((d) => (typeof d === 'number' && d >= 0 ? d : undefined));
}

function shapeEntries(shape: Node): (number | undefined)[] | undefined {
  const dims = shapeSeen(shape.inputs[0]);
  return dims?.slice(intOf(shape, 'start', 0), intOf(shape, 'end', dims.length));
}

async function foldNodes(model: Model, context: PassContext): Promise<number> {
  const { graph } = model;
  const index = new GraphIndex(graph);
  const constant = constantNodes(graph);
  if (constant.size === 0) return 0;
  const results = await compute(model, constant, context.threads);
  const chosen = choose(graph, constant, index, results, context);
  const folded = graph.nodes.filter((n) => chosen.has(n));
  for (const node of folded)
    for (const y of node.outputs) {
      if (y && index.uses(y).length > 0) setConstant(graph, y, results.get(y.name)!);
    }
  graph.nodes = graph.nodes.filter((n) => !chosen.has(n));
  return folded.length;
}

function constantNodes(graph: Graph): Set<Node> {
  const unreturnable = subByteValues(graph);
  const fixed = new Set<Value>(
    graph.initializers.filter(
      (v) => v.constant && !v.constant.strings && !graph.inputs.includes(v),
    ),
  );
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.domain !== '' || NEVER_FOLDED.test(node.op) || subgraphsOf(node).length > 0) continue;
    if (node.inputs.some((x) => x && !fixed.has(x))) continue;
    const outputs = node.outputs.filter((y) => y !== undefined);
    if (outputs.some((y) => graph.outputs.includes(y) || unreturnable.has(y) || tooLarge(y)))
      continue;
    found.add(node);
    for (const y of outputs) fixed.add(y);
  }
  return found;
}

function tooLarge(v: Value): boolean {
  if (v.type?.kind !== 'tensor' || !v.type.shape) return false;
  const size = v.type.shape.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), 1);
  return v.type.dtype === 'string' || byteLength(v.type.dtype, size) > LARGEST_RESULT;
}

/** Run all constant nodes once. */
async function compute(
  model: Model,
  nodes: ReadonlySet<Node>,
  threads: number,
): Promise<ReadonlyMap<string, Tensor>> {
  const wanted = [...nodes].flatMap((n) => n.outputs.filter((y) => y !== undefined));
  const inner: Model = {
    ...model,
    graph: { ...model.graph, nodes: [...nodes], inputs: [], outputs: [] },
  };
  const used = valuesUsedIn(inner.graph);
  inner.graph.initializers = model.graph.initializers.filter((v) => used.has(v));
  const session = await openSession(
    withOutputs(
      cloneModel(inner),
      wanted.map((y) => y.name),
    ),
    {
      threads,
      optimize: 'disabled',
    },
  );
  try {
    const results = await session.run({});
    return new Map(
      Object.entries(results).map(([name, { dtype, dims, data }]) => [
        name,
        new Tensor(dtype, [...dims], bytesOf(data)),
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Which nodes to fold, walking from those that others need. */
function choose(
  graph: Graph,
  constant: ReadonlySet<Node>,
  index: GraphIndex,
  results: ReadonlyMap<string, Tensor>,
  context: PassContext,
): Set<Node> {
  let allowance = context.allowance;
  const chosen = new Set<Node>();
  const kept = new Set<Node>();
  const open = graph.nodes.filter(
    (n) =>
      constant.has(n) &&
      n.outputs.some((y) => y && index.uses(y).some(({ node }) => !constant.has(node))),
  );
  while (open.length > 0) {
    const node = open.pop()!;
    if (chosen.has(node) || kept.has(node)) continue;
    const bytes = node.outputs.reduce((n, y) => n + (y ? results.get(y.name)!.bytes.length : 0), 0);
    const growth = bytes - spared(node, index, constant);
    if (bytes <= SMALL || growth <= allowance) {
      chosen.add(node);
      if (bytes > SMALL) allowance -= Math.max(growth, 0);
      continue;
    }
    kept.add(node);
    context.decline(nodeLabel(node), `its constant result would add ${growth} bytes to the file`);
    for (const x of node.inputs) {
      const producer = x && index.producer(x);
      if (producer) open.push(producer);
    }
  }
  return chosen;
}

/** Bytes that go with a node: itself, and the constants and nodes that only it needs. */
function spared(node: Node, index: GraphIndex, constant: ReadonlySet<Node>): number {
  const going = new Set<Node>();
  let bytes = 0;
  const open = [node];
  while (open.length > 0) {
    const next = open.pop()!;
    if (going.has(next) || !constant.has(next)) continue;
    going.add(next);
    bytes += NODE_BYTES;
    for (const x of new Set(next.inputs)) {
      if (!x || !index.uses(x).every((use) => going.has(use.node))) continue;
      if (x.constant) bytes += x.constant.bytes.length;
      else open.push(index.producer(x)!);
    }
  }
  return bytes;
}

function setConstant(graph: Graph, value: Value, tensor: Tensor): void {
  value.constant = tensor;
  value.type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims };
  graph.initializers.push(value);
}
