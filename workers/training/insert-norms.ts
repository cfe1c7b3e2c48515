/** @file BatchNormalization put back where an exporter folded it, and folded again after training. */

import type { Sample } from '../data/dataset.ts';
import { float } from '../onnx/attributes.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { findDecodeTail } from '../onnx/decode-tail.ts';
import { type Model, type Node, Value } from '../onnx/graph.ts';
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
  readonly task: TaskBinding;
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
  const moments = await measure(model, places, samples, ctx);
  const { graph } = model;
  const names = new Names(graph);
  for (const conv of places) {
    const y = conv.outputs[0]!;
    const { mean, variance } = moments.get(y.name)!;
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
  return places.length;
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
  { task: binding, seed, threads, provider, signal }: InsertContext,
): Promise<Map<string, Moments>> {
  const { model: wide, batch } = await batched(model, binding, BATCH);
  const g = new GraphBuilder(wide.graph);
  const made = new Map(wide.graph.nodes.flatMap((n) => n.outputs.map((y) => [y?.name, y])));
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
  wide.graph.outputs = taps.flatMap((t) => [t.sum, t.squares]);
  const session = await openSession(wide, { threads, provider });
  const steps = Math.max(1, Math.ceil(Math.min(IMAGES, samples.length) / batch));
  const stream = await openBatches({
    ...{ samples, binding, batch, seed, signal },
    augment: false,
    totalSteps: steps,
  });
  const sums = new Map(
    taps.map(({ name, sum }) => {
      const zeros = () => new Float64Array(sizeOf(shapeOf(sum)));
      return [name, { mean: zeros(), variance: zeros() }];
    }),
  );
  try {
    for (let i = 0; i < steps; i++) {
      const { images, dims } = await stream.next();
      const results = await session.run({ [binding.input!.name]: { dims, data: images } });
      for (const { name, sum, squares, count } of taps) {
        const { mean, variance } = sums.get(name)!;
        const [s, q] = [results[sum.name]!.data, results[squares.name]!.data];
        for (let c = 0; c < mean.length; c++) {
          mean[c]! += Number(s[c]) / count / steps;
          variance[c]! += Number(q[c]) / count / steps;
        }
      }
    }
  } finally {
    await stream.close();
    await session.release();
  }
  for (const { mean, variance } of sums.values())
    for (let c = 0; c < mean.length; c++) variance[c] = Math.max(0, variance[c]! - mean[c]! ** 2);
  return sums;
}
