/** @file One training step as one graph: forward, loss, gradients, clipping, update, moving average. */

import { backward } from '../autodiff/backward.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model, Node } from '../onnx/graph.ts';
import { Value } from '../onnx/graph.ts';
import { shapeOf, sizeOf } from '../onnx/static-shapes.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import { useBatchStatistics } from './batch-norm.ts';
import { lossContext } from './losses/context.ts';
import type { BoundLoss, BuiltLoss } from './losses/loss.ts';
import type { Optimizer, OptimizerOptions } from './optimizers/optimizer.ts';
import type { Parameter } from './parameters.ts';

export interface TrainGraphOptions {
  readonly optimizer: Optimizer;
  readonly optimizerOptions: OptimizerOptions;
  /** Weight decay of weights; biases and norms have none. */
  readonly decay: number;
  /** Largest norm of all gradients together; undefined: gradients are not clipped. */
  readonly clip: number | undefined;
  /** Keep an exponential moving average of the weights. */
  readonly ema: boolean;
  /** Runs whose gradients are averaged for one update. */
  readonly accumulate: number;
  /** BatchNormalization by the statistics of the batch, with running updates of its own; false: as at inference. */
  readonly batchStatistics: boolean;
}

/** Parameters that are updated alike, side by side in one vector. */
export interface Group {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly size: number;
  readonly decay: number;
}

/** A tensor that goes in and comes out every step. */
export interface StateTensor {
  readonly kind: 'weights' | 'optimizer' | 'ema' | 'gradient' | 'statistics';
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  readonly initial: Float32Array<ArrayBuffer>;
  /** Initializers of the model that it holds, side by side. */
  readonly parts: readonly { readonly name: string; readonly size: number }[];
}

export interface TrainGraph {
  readonly model: Model;
  readonly groups: readonly Group[];
  readonly states: readonly StateTensor[];
  readonly loss: BuiltLoss;
  /** Output names of scalars. */
  readonly outputs: {
    readonly total: string;
    readonly norm: string;
    readonly parts: Readonly<Record<string, string>>;
  };
}

/** Names of scalar inputs that are always there. */
export const SCALARS = { lr: 'step/lr', emaKeep: 'step/ema-keep', apply: 'step/apply' } as const;
export const optimizerScalar = (name: string): string => `step/${name}`;

/**
 * @param model its batch is the step's, types inferred, canonical; changed in place
 * @param batch images of one run
 */
export function buildTrainGraph(
  model: Model,
  parameters: readonly Parameter[],
  bound: BoundLoss,
  batch: number,
  options: TrainGraphOptions,
): TrainGraph {
  const { graph } = model;
  keepAncestors(model, bound.reads);
  const g = new GraphBuilder(graph);
  const input = (name: string, shape: readonly number[]) => {
    const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape });
    graph.inputs.push(value);
    return value;
  };
  const statistics = options.batchStatistics ? useBatchStatistics(g) : [];
  const groups = groupsOf(parameters, options.decay);
  const weights = groups.map((group) => {
    const flat = input(`weights/${group.name}`, [group.size]);
    unpack(g, group, flat);
    return flat;
  });
  const { context, stop } = lossContext(g, batch);
  const loss = bound.build(context);
  const wrt = groups.flatMap((group) => group.parameters.map((p) => p.value));
  const seed = { value: loss.total, gradient: g.floats([], [1], loss.total) };
  const gradients = new Map(backward(graph, [seed], wrt, { g, stop }).map((d, i) => [wrt[i]!, d]));

  const flat = groups.map((group) =>
    g.concat(
      group.parameters.map((p) => g.reshape(gradients.get(p.value)!, [p.initial.size])),
      0,
    ),
  );
  const scalars = new Map<string, Value>();
  const scalar = (name: string) => {
    const known = scalars.get(name) ?? input(name, []);
    scalars.set(name, known);
    return known;
  };
  const states: StateTensor[] = [];
  const outputs: Value[] = [];
  const keep = (kind: StateTensor['kind'], group: Group, from: Value, to: Value) => {
    const starts = kind === 'weights' || kind === 'ema';
    states.push({
      kind,
      input: from.name,
      output: to.name,
      dims: [group.size],
      initial: starts ? initialOf(group) : new Float32Array(group.size),
      parts: group.parameters.map((p) => ({ name: p.value.name, size: p.initial.size })),
    });
    outputs.push(to);
  };
  for (const { before, after, initial } of statistics) {
    const parts = [{ name: before.name, size: initial.length }];
    const ports = {
      input: before.name,
      output: after.name,
      dims: [initial.length],
      initial,
      parts,
    };
    states.push({ kind: 'statistics', ...ports });
    outputs.push(after);
  }
  const summed = flat.map((d, i) => {
    if (options.accumulate === 1) return d;
    const before = input(`gradient/${groups[i]!.name}`, [groups[i]!.size]);
    const after = g.add(before, g.scale(d, 1 / options.accumulate));
    // Once applied the next sum starts at zero.
    const rest = g.mul(after, g.sub(g.scalar(1, after), scalar(SCALARS.apply)));
    keep('gradient', groups[i]!, before, rest);
    return after;
  });
  const norm = g.sqrt(summed.map((d) => g.reduce('ReduceSumSquare', d, [0], false)).reduce(g.add));
  const clipped = options.clip === undefined ? summed : clip(g, summed, norm, options.clip);
  for (const [i, group] of groups.entries()) {
    const { optimizer, optimizerOptions } = options;
    const before = optimizer.states.map((s) => input(`${s}/${group.name}`, [group.size]));
    const named = Object.keys(optimizer.scalars(1, optimizerOptions));
    const made = optimizer.update(
      {
        g,
        w: weights[i]!,
        grad: clipped[i]!,
        states: before,
        decay: group.decay,
        lr: scalar(SCALARS.lr),
        scalars: Object.fromEntries(named.map((n) => [n, scalar(optimizerScalar(n))])),
      },
      optimizerOptions,
    );
    const applied = (old: Value, now: Value) =>
      options.accumulate === 1
        ? now
        : g.where(g.compare('Greater', scalar(SCALARS.apply), g.scalar(0.5, now)), now, old);
    const w = applied(weights[i]!, made.w);
    keep('weights', group, weights[i]!, w);
    for (const [k, now] of made.states.entries())
      keep('optimizer', group, before[k]!, applied(before[k]!, now));
    if (options.ema) {
      const average = input(`ema/${group.name}`, [group.size]);
      // e ← d·e + (1 − d)·w, written as w + d·(e − w)
      const next = g.add(w, g.mul(g.sub(average, w), scalar(SCALARS.emaKeep)));
      keep('ema', group, average, applied(average, next));
    }
  }
  const parts = Object.entries(loss.parts);
  graph.outputs = [...new Set([loss.total, norm, ...parts.map(([, v]) => v), ...outputs])];
  return {
    model,
    groups,
    states,
    loss,
    outputs: {
      total: loss.total.name,
      norm: norm.name,
      parts: Object.fromEntries(parts.map(([k, v]) => [k, v.name])),
    },
  };
}

/** Keep only what the values depend on; they become the outputs. */
export function keepAncestors(model: Model, values: readonly Value[]): void {
  const { graph } = model;
  const index = new GraphIndex(graph);
  const needed = new Set<Node>();
  const open = values.map((v) => index.producer(v));
  for (let node = open.pop(); open.length > 0 || node; node = open.pop()) {
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    for (const x of node.inputs) if (x) open.push(index.producer(x));
  }
  graph.nodes = graph.nodes.filter((n) => needed.has(n));
  graph.outputs = [...new Set(values)];
  const used = new Set<Value | undefined>([...values, ...graph.nodes.flatMap((n) => n.inputs)]);
  graph.initializers = graph.initializers.filter((v) => used.has(v));
}

function groupsOf(parameters: readonly Parameter[], decay: number): Group[] {
  const make = (name: string, mine: readonly Parameter[], strength: number): Group[] =>
    mine.length === 0
      ? []
      : [{ name, parameters: mine, size: sum(mine.map((p) => p.initial.size)), decay: strength }];
  return [
    ...make(
      'decayed',
      parameters.filter((p) => p.role === 'weight'),
      decay,
    ),
    ...make(
      'plain',
      parameters.filter((p) => p.role !== 'weight'),
      0,
    ),
  ];
}

function initialOf({ parameters, size }: Group): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(size);
  let at = 0;
  for (const { initial } of parameters) {
    flat.set(floatsOf(initial), at);
    at += initial.size;
  }
  return flat;
}

/** The group's initializers become parts of one input vector, in nodes before all others. */
function unpack(g: GraphBuilder, { parameters }: Group, flat: Value): void {
  const { graph } = g;
  const forward = graph.nodes;
  graph.nodes = [];
  const sizes = parameters.map((p) => sizeOf(shapeOf(p.value)));
  const pieces =
    parameters.length === 1
      ? [flat]
      : g.ops(
          'Split',
          [flat, g.ints(sizes)],
          sizes.map((s) => [s]),
          { axis: { type: 'int', value: 0 } },
        );
  const mine = new Set(parameters.map((p) => p.value));
  graph.initializers = graph.initializers.filter((v) => !mine.has(v));
  graph.inputs = graph.inputs.filter((v) => !mine.has(v));
  for (const [i, { value }] of parameters.entries()) {
    const shape = shapeOf(value);
    value.constant = undefined;
    graph.nodes.push({
      name: g.name(`${value.name}/Reshape`),
      op: 'Reshape',
      domain: '',
      inputs: [pieces[i], g.ints(shape)],
      outputs: [value],
      attributes: {},
    });
  }
  graph.nodes.push(...forward);
}

/** All gradients times min(1, most / (‖g‖ + 1e-6)). */
function clip(g: GraphBuilder, gradients: readonly Value[], norm: Value, most: number): Value[] {
  const ratio = g.div(g.scalar(most, norm), g.plus(norm, 1e-6));
  const factor = g.binary('Min', ratio, g.scalar(1, ratio));
  return gradients.map((d) => g.mul(d, factor));
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
