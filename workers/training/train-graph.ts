/** @file One training step as one graph: forward, loss, gradients, clipping, update, moving average. */

import { type BackwardOptions, backward } from '../autodiff/backward.ts';
import { directConv, isDirect } from '../autodiff/rules/direct-convolution.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model, Node, Value } from '../onnx/graph.ts';
import { shapeOf } from '../onnx/static-shapes.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { type RunningStatistic, useBatchStatistics } from './batch-norm.ts';
import type { OwnNodes } from './companion.ts';
import { type Group, groupsOf, unpack } from './flat-groups.ts';
import { lossContext } from './losses/context.ts';
import type { BoundLoss, BuiltLoss } from './losses/loss.ts';
import type { TrainedTensor } from './parameters.ts';
import { SCALARS, type StateTensor, StepPorts } from './step-ports.ts';
import { threadSoftplus } from './threaded-softplus.ts';
import { type Flat, type UpdateOptions, update } from './update.ts';

export interface TrainGraphOptions extends UpdateOptions {
  /** Weight decay of weights; biases and norms have none. */
  readonly decay: number;
  /** BatchNormalization by the statistics of the batch, with running updates of its own; false: as at inference. */
  readonly batchStatistics: boolean;
  /** Channels per block where Convs are computed in blocks (workers/runtime/blocked); undefined: they are not. */
  readonly block?: number | undefined;
  /** Nodes of the model that only stand for others. */
  readonly nodes?: OwnNodes | undefined;
}

export interface TrainGraph {
  readonly model: Model;
  /** As in the options. */
  readonly block: number | undefined;
  readonly states: readonly StateTensor[];
  readonly loss: BuiltLoss;
  /** Output names of scalars. */
  readonly outputs: {
    readonly total: string;
    readonly norm: string;
    readonly parts: Readonly<Record<string, string>>;
  };
}

/**
 * @param model its batch is the step's, types inferred, canonical; changed in place
 * @param batch images of one run
 */
export function buildTrainGraph(
  model: Model,
  parameters: readonly TrainedTensor[],
  bound: BoundLoss,
  batch: number,
  options: TrainGraphOptions,
): TrainGraph {
  const { graph } = model;
  keepAncestors(model, bound.reads);
  const g = new GraphBuilder(graph);
  const ports = new StepPorts(g);
  const statistics = options.batchStatistics ? useBatchStatistics(g) : [];
  const unpacked = groupsOf(parameters, options.decay).map((group) => {
    const weights = ports.input(`weights/${group.name}`, [group.size]);
    unpack(g, group, weights);
    return { group, weights };
  });
  const { context, stop } = lossContext(g, batch);
  const loss = bound.build(context);
  const { block } = options;
  const ruleOf = (node: Node) =>
    options.nodes?.ruleOf(node) ??
    (block !== undefined && isDirect(node, block) ? directConv : undefined);
  const flats = withGradients(g, unpacked, loss.total, { stop, ruleOf });
  for (const statistic of statistics) keepStatistic(ports, statistic);
  if (options.ema && statistics.length > 0) averageStatistics(g, ports, statistics);
  const norm = update(g, ports, flats, options);
  threadSoftplus(g);
  options.nodes?.writeOut(g);
  const parts = Object.entries(loss.parts);
  graph.outputs = [...new Set([loss.total, norm, ...parts.map(([, v]) => v), ...ports.outputs])];
  const names = Object.fromEntries(parts.map(([k, v]) => [k, v.name]));
  const outputs = { total: loss.total.name, norm: norm.name, parts: names };
  return { model, block, states: ports.states, loss, outputs };
}

/** The loss's gradients, flat as the weights are. */
function withGradients(
  g: GraphBuilder,
  unpacked: readonly Omit<Flat, 'gradient'>[],
  total: Value,
  how: Pick<BackwardOptions, 'stop' | 'ruleOf'>,
): Flat[] {
  const wrt = unpacked.flatMap(({ group }) => group.parameters.map((p) => p.value));
  const seed = { value: total, gradient: g.floats([], [1], total) };
  const gradients = new Map(
    backward(g.graph, [seed], wrt, { g, ...how, keepTransposed: true }).map((d, i) => [wrt[i]!, d]),
  );
  const flatOf = ({ parameters }: Group) =>
    parameters.map((p) => g.reshape(gradients.get(p.value)!, [p.initial.size]));
  return unpacked.map((one) => ({ ...one, gradient: g.concat(flatOf(one.group), 0) }));
}

function keepStatistic(ports: StepPorts, { before, after, initial }: RunningStatistic): void {
  const parts = [{ name: before.name, size: initial.length }];
  ports.keep({ kind: 'statistics', dims: [initial.length], initial, parts }, before, after);
}

/** Averaged weights need the statistics that belong to them: the average of the running ones over the same steps. */
function averageStatistics(
  g: GraphBuilder,
  ports: StepPorts,
  statistics: readonly RunningStatistic[],
): void {
  const parts = statistics.map(({ before, initial }) => ({
    name: before.name,
    size: initial.length,
  }));
  const now = g.concat(
    statistics.map(({ after }) => after),
    0,
  );
  const dims = shapeOf(now);
  const average = ports.input('ema/statistics', dims);
  const next = g.add(now, g.mul(g.sub(average, now), ports.scalar(SCALARS.emaKeep)));
  const initial = Float32Array.from(statistics.flatMap((s) => [...s.initial]));
  ports.keep({ kind: 'ema', dims, initial, parts }, average, next);
}

/** Keep only what the values depend on; they become the outputs. */
function keepAncestors(model: Model, values: readonly Value[]): void {
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
