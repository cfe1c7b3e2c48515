/** @file From gradients to new weights: accumulation, clipping, optimizer, moving average. */

import type { GraphBuilder } from '../onnx/builder.ts';
import type { Value } from '../onnx/graph.ts';
import type { Group } from './flat-groups.ts';
import type { Optimizer, OptimizerOptions } from './optimizers/optimizer.ts';
import { type Pressure, settled } from './sparsity.ts';
import { optimizerScalar, SCALARS, type StepPorts } from './step-ports.ts';

export interface UpdateOptions {
  readonly optimizer: Optimizer;
  readonly optimizerOptions: OptimizerOptions;
  /** Largest norm of all gradients together; undefined: gradients are not clipped. */
  readonly clip: number | undefined;
  /** Keep an exponential moving average of the weights. */
  readonly ema: boolean;
  /** Pressure of weights to zero. */
  readonly sparsify?: Pressure | undefined;
  /** Runs whose gradients are averaged for one update. */
  readonly accumulate: number;
}

/** What a group's vector of weights is now, and its gradient: [size]. */
export interface Flat {
  readonly group: Group;
  readonly weights: Value;
  readonly gradient: Value;
}

/** @returns ‖gradient‖ over all groups, before clipping */
export function update(
  g: GraphBuilder,
  ports: StepPorts,
  flats: readonly Flat[],
  options: UpdateOptions,
): Value {
  const summed = flats.map((flat) => accumulated(g, ports, flat, options.accumulate));
  const norm = g.sqrt(summed.map((d) => g.reduce('ReduceSumSquare', d, [0], false)).reduce(g.add));
  const clipped = options.clip === undefined ? summed : clip(g, summed, norm, options.clip);
  for (const [i, flat] of flats.entries())
    updateGroup(g, ports, { ...flat, gradient: clipped[i]! }, options);
  return norm;
}

/** The mean over the runs of one update: a sum that is kept, and starts at 0 again once it was applied. */
function accumulated(
  g: GraphBuilder,
  ports: StepPorts,
  { group, gradient }: Flat,
  accumulate: number,
): Value {
  if (accumulate === 1) return gradient;
  const before = ports.input(`gradient/${group.name}`, [group.size]);
  const after = g.add(before, g.scale(gradient, 1 / accumulate));
  const rest = g.mul(after, g.sub(g.scalar(1, after), ports.scalar(SCALARS.apply)));
  ports.keepGroup('gradient', group, before, rest);
  return after;
}

/** All gradients times min(1, most / (‖g‖ + 1e-6)). */
function clip(g: GraphBuilder, gradients: readonly Value[], norm: Value, most: number): Value[] {
  const ratio = g.div(g.scalar(most, norm), g.plus(norm, 1e-6));
  const factor = g.binary('Min', ratio, g.scalar(1, ratio));
  return gradients.map((d) => g.mul(d, factor));
}

function updateGroup(
  g: GraphBuilder,
  ports: StepPorts,
  { group, weights, gradient }: Flat,
  { optimizer, optimizerOptions, accumulate, ema, sparsify }: UpdateOptions,
): void {
  const before = optimizer.states.map((s) => ports.input(`${s}/${group.name}`, [group.size]));
  const lr = ports.scalar(SCALARS.lr);
  const named = Object.keys(optimizer.scalars(1, optimizerOptions));
  const made = optimizer.update(
    {
      g,
      w: weights,
      grad: gradient,
      states: before,
      decay: group.decay,
      lr: group.gate ? g.mul(lr, ports.scalar(group.gate)) : lr,
      scalars: Object.fromEntries(named.map((n) => [n, ports.scalar(optimizerScalar(n))])),
    },
    optimizerOptions,
  );
  const isApplied = (now: Value) =>
    g.compare('Greater', ports.scalar(SCALARS.apply), g.scalar(0.5, now));
  const applied = (old: Value, now: Value) =>
    accumulate === 1 ? now : g.where(isApplied(now), now, old);
  const w = applied(weights, settled(g, group, made.w, lr, sparsify));
  ports.keepGroup('weights', group, weights, w);
  for (const [k, now] of made.states.entries())
    ports.keepGroup('optimizer', group, before[k]!, applied(before[k]!, now));
  if (!ema) return;
  const average = ports.input(`ema/${group.name}`, [group.size]);
  // e ← d·e + (1 − d)·w, written as w + d·(e − w)
  const next = g.add(w, g.mul(g.sub(average, w), ports.scalar(SCALARS.emaKeep)));
  ports.keepGroup('ema', group, average, applied(average, next));
}
