/** @file Zeros in training: weights that came as zeros stay zero, and pressure makes more of them. */

import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import { range, shapeOf } from '../onnx/static-shapes.ts';
import { weightIndex } from '../onnx/trained.ts';
import { floatsOf } from '../onnx/values.ts';
import { type Group, initialOf, split } from './flat-groups.ts';
import type { Parameter, TrainedTensor } from './parameters.ts';

export const PRESSURES = ['l1', 'group-lasso'] as const;

/** Pressure to zero, in units of the weights per unit of learning rate. */
export interface Pressure {
  readonly kind: (typeof PRESSURES)[number];
  readonly strength: number;
}

/** From this share of zeros on a weight counts as pruned; fewer are chance. */
const PRUNED = 0.2;

/** Whether zeros of a weight stay zero: some of them are, not all. */
export function isPruned({ role, initial }: TrainedTensor): boolean {
  if (role !== 'weight') return false;
  const zeros = floatsOf(initial).reduce((n, w) => n + (w === 0 ? 1 : 0), 0);
  return zeros >= PRUNED * initial.size && zeros < initial.size;
}

/**
 * The weights of one update, brought back to where they may be. After the optimizer's step (proximal gradient), t = rate · strength:
 *
 *     l1           w ← sign(w) · max(|w| − t, 0)
 *     group-lasso  f ← f · max(1 − t·√n / ‖f‖, 0)      for every output filter f of n weights
 *
 * then 0 where a pruned weight came as 0. Biases and norms are left alone.
 *
 * Source: Yuan & Lin, Model Selection and Estimation in Regression with Grouped Variables, 2006; Wen et al., Learning Structured
 * Sparsity in Deep Neural Networks, 2016
 */
export function settled(
  g: GraphBuilder,
  group: Group,
  weights: Value,
  lr: Value,
  pressure: Pressure | undefined,
): Value {
  if (!group.parameters.every(({ role }) => role === 'weight')) return weights;
  const pressed = pressure ? pressedBy(g, group, weights, lr, pressure) : weights;
  if (!group.parameters.some(isPruned)) return pressed;
  return g.mul(pressed, g.floats([group.size], maskOf(group), weights));
}

/** 0 where a pruned weight came as 0, else 1, side by side. */
function maskOf(group: Group): Float32Array {
  const pruned = group.parameters.flatMap((p) => {
    const is = isPruned(p);
    return Array.from({ length: p.initial.size }, () => is);
  });
  return initialOf(group).map((w, i) => (w === 0 && pruned[i] ? 0 : 1));
}

function pressedBy(
  g: GraphBuilder,
  group: Group,
  weights: Value,
  lr: Value,
  { kind, strength }: Pressure,
): Value {
  const t = g.scale(lr, strength);
  if (kind === 'l1') {
    const most = g.binary('Min', weights, t);
    return g.sub(weights, g.binary('Max', most, g.neg(t)));
  }
  const shrunk = split(g, group.parameters, weights).map((flat, i) =>
    shrinkFilters(g, flat, group.parameters[i]!, t),
  );
  return g.concat(shrunk, 0);
}

function shrinkFilters(g: GraphBuilder, flat: Value, parameter: TrainedTensor, t: Value): Value {
  const { dims, size } = parameter.initial;
  const axis = filterAxis(parameter);
  const others = range(dims.length).filter((i) => i !== axis);
  if (others.length === 0) return flat;
  const w = g.reshape(flat, dims);
  const norm = g.sqrt(g.reduce('ReduceSumSquare', w, others));
  const away = g.div(g.scale(t, Math.sqrt(size / dims[axis]!)), g.plus(norm, 1e-12));
  const factor = g.unary('Relu', g.sub(g.scalar(1, away), away));
  return g.reshape(g.mul(w, factor), shapeOf(flat));
}

/** Axis of a weight along which its output channels lie. */
function filterAxis(parameter: TrainedTensor): number {
  const node = 'node' in parameter ? (parameter as Parameter).node : undefined;
  const rank = parameter.initial.dims.length;
  if (node?.op === 'ConvTranspose') return 1;
  if (node?.op === 'MatMul') return weightIndex(node) === 1 ? rank - 1 : rank - 2;
  const transposed = node?.attributes['transB'];
  const isPlain = node?.op === 'Gemm' && !(transposed?.type === 'int' && transposed.value === 1);
  return isPlain ? 1 : 0;
}
