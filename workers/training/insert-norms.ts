/** @file BatchNormalization put back where an exporter folded it, and folded again after training. */

import type { Sample } from '../data/dataset.ts';
import { float } from '../onnx/attributes.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { findDecodeTail } from '../onnx/decode-tail.ts';
import { type Graph, type Model, type Node, Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { range, shapeOf, sizeOf } from '../onnx/static-shapes.ts';
import { Tensor } from '../onnx/tensor.ts';
import { isTrained } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { foldBatchNorm } from '../passes/fold-batchnorm.ts';
import { openSession } from '../runtime/session.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { batched } from './batched.ts';
import { openBatches } from './batches/open.ts';

const EPSILON = 1e-3;
/** Images whose statistics the new norms start from. */
const IMAGES = 64;
const BATCH = 8;

interface InsertContext {
  readonly binding: TaskBinding;
  readonly seed: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
}

/**
 * Behind every trained Conv but the last ones, where none stands: Y = γ·(X − μ)/√(σ² + ε) + β with μ, σ² measured on training images,
 * γ = √(σ² + ε) and β = μ. The model computes what it did; trained by batch statistics it stays in scale at every depth.
 *
 * @returns how many
 */
export async function insertNorms(
  model: Model,
  samples: readonly Sample[],
  ctx: InsertContext,
): Promise<number> {
  const places = normlessConvs(model);
  if (places.length === 0) return 0;
  const moments = await measure(model, places, samples, ctx);
  const names = new Names(model.graph);
  for (const conv of places)
    insertAfter(conv, moments.get(conv.outputs[0]!.name)!, model.graph, names);
  return places.length;
}

function insertAfter(conv: Node, { mean, variance }: Moments, graph: Graph, names: Names): void {
  const y = conv.outputs[0]!;
  const before = new Value(names.fresh(`${y.name}/folded`), y.type);
  conv.outputs[0] = before;
  const vector = (role: string, data: ArrayLike<number>) => {
    const tensor = Tensor.float32([data.length], data);
    const type = { kind: 'tensor', dtype: 'float32', shape: tensor.dims } as const;
    const value = new Value(names.fresh(`${y.name}/norm.${role}`), type, tensor);
    graph.initializers.push(value);
    return value;
  };
  const gamma = Float64Array.from(variance, (v) => Math.sqrt(v + EPSILON));
  const inputs = [
    before,
    vector('weight', gamma),
    vector('bias', mean),
    vector('running_mean', mean),
    vector('running_var', variance),
  ];
  graph.nodes.splice(graph.nodes.indexOf(conv) + 1, 0, {
    name: names.fresh(`${conv.name || y.name}/norm`),
    op: 'BatchNormalization',
    domain: '',
    inputs,
    outputs: [y],
    attributes: { epsilon: float(EPSILON), momentum: float(0.97) },
  });
}

/** Fold every norm that can be into the product beside it. In place. */
export async function foldNorms(model: Model): Promise<void> {
  await foldBatchNorm.run(model, {
    threads: 1,
    allowance: Number.POSITIVE_INFINITY,
    decline: () => {},
  });
}

function normlessConvs({ graph }: Model): Node[] {
  const index = new GraphIndex(graph);
  const last = new Set(findDecodeTail(graph).layers);
  return graph.nodes.filter((node) => {
    if (node.op !== 'Conv' || node.domain !== '' || last.has(node) || !isTrained(node))
      return false;
    const y = node.outputs[0]!;
    if (index.isOutput(y)) return false;
    return !index.uses(y).some((use) => /Normalization$/.test(use.node.op));
  });
}

interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Per conv output, mean and variance of each channel over images and positions. */
async function measure(
  model: Model,
  convs: readonly Node[],
  samples: readonly Sample[],
  { binding, seed, threads, provider, signal }: InsertContext,
): Promise<Map<string, Moments>> {
  const { model: wide, batch } = await batched(model, binding, BATCH);
  const taps = tapsOf(wide, convs);
  const sums = new Map(taps.map(({ name, sum }) => [name, zeros(sizeOf(shapeOf(sum)))]));
  const steps = Math.max(1, Math.ceil(Math.min(IMAGES, samples.length) / batch));
  const session = await openSession(wide, { threads, provider });
  const stream = await openBatches({
    ...{ samples, binding, batch, seed, signal },
    augment: false,
    totalSteps: steps,
  });
  try {
    for (let i = 0; i < steps; i++) {
      const { images, dims } = await stream.next();
      const results = await session.run({ [binding.input!.name]: { dims, data: images } });
      for (const { name, sum, squares, count } of taps) {
        const own = sums.get(name)!;
        addShare(own.mean, results[sum.name]!.data, count, steps);
        addShare(own.variance, results[squares.name]!.data, count, steps);
      }
    }
  } finally {
    await stream.close();
    await session.release();
  }
  // So far the mean of squares: σ² = E x² − μ².
  for (const { mean, variance } of sums.values())
    for (let c = 0; c < mean.length; c++) variance[c] = Math.max(0, variance[c]! - mean[c]! ** 2);
  return sums;
}

interface Tap {
  readonly name: string;
  /** Per channel, over images and positions. */
  readonly sum: Value;
  readonly squares: Value;
  /** Numbers that each sum is over. */
  readonly count: number;
}

/** Sums behind the convs; they become the model's only outputs. */
function tapsOf(model: Model, convs: readonly Node[]): Tap[] {
  const g = new GraphBuilder(model.graph);
  const made = new Map(model.graph.nodes.flatMap((n) => n.outputs.map((y) => [y?.name, y])));
  const taps = convs.map((conv) => {
    const y = made.get(conv.outputs[0]!.name)!;
    const axes = range(shapeOf(y).length).filter((i) => i !== 1);
    return {
      name: y.name,
      sum: g.sum(y, axes, false),
      squares: g.reduce('ReduceSumSquare', y, axes, false),
      count: sizeOf(shapeOf(y)) / shapeOf(y)[1]!,
    };
  });
  model.graph.outputs = taps.flatMap((t) => [t.sum, t.squares]);
  return taps;
}

const zeros = (n: number): Moments => ({
  mean: new Float64Array(n),
  variance: new Float64Array(n),
});

function addShare(
  to: Float64Array,
  sums: ArrayLike<number | bigint>,
  count: number,
  steps: number,
): void {
  for (let c = 0; c < to.length; c++) to[c]! += Number(sums[c]) / count / steps;
}
