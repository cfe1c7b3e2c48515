/** @file Losses against target tensors: what a reference model made of the same images. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { findDecodeTail } from '../../onnx/decode-tail.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import { dtypeOf, range, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { Loss, LossOptions } from './loss.ts';

/** A scalar of one value y and its target t, both of the same shape. */
type Distance = (g: GraphBuilder, y: Value, t: Value, options: LossOptions) => Value;

const toTargets = (summary: string, of: (graph: Graph) => Value[], distance: Distance): Loss => ({
  summary,
  labels: 'tensors',
  bind(graph, _binding, options) {
    const values = of(graph).filter((v) => dtypeOf(v) === 'float32');
    if (values.length === 0) return { misfit: 'it has no float32 output' };
    return {
      reads: values,
      build({ g, input }) {
        const targets = values.map((v) => input(`labels/${v.name}`, shapeOf(v)));
        const each = values.map((v, i) => distance(g, v, targets[i]!, options));
        return {
          total: g.scale(each.reduce(g.add), 1 / values.length),
          parts: {},
          feeds: (labels) => {
            if (labels.kind !== 'tensors')
              throw new TypeError('internal: the labels are no tensors');
            return Object.fromEntries(
              values.map((v, i) => [
                targets[i]!.name,
                { dims: shapeOf(v), data: labels.targets[v.name]! },
              ]),
            );
          },
        };
      },
    };
  },
});

const outputs = (graph: Graph) => graph.outputs;

/** What the last trained layers say, before it is decoded: there all numbers of one value have one scale. */
function lastLayers(graph: Graph): Value[] {
  const layers = findDecodeTail(graph).layers.flatMap((n) => (n.outputs[0] ? [n.outputs[0]] : []));
  return layers.length > 0 ? layers : graph.outputs;
}

const all = (v: Value) => range(shapeOf(v).length);
const mean = (g: GraphBuilder, v: Value) =>
  g.scale(g.sum(v, all(v), false), 1 / sizeOf(shapeOf(v)));

/** L = mean over outputs of mean (y − t)². */
export const mse = toTargets(
  'Mean squared distance to the reference’s outputs.',
  outputs,
  (g, y, t) => {
    const d = g.sub(y, t);
    return mean(g, g.mul(d, d));
  },
);

/** L = mean over outputs of mean h(y − t),  h(d) = ½d² where |d| ≤ δ, else δ(|d| − ½δ). δ = 1 unless stated. */
export const huber = toTargets(
  'Huber distance to the reference’s outputs: squared near, linear far.',
  outputs,
  (g, y, t, { delta = 1 }) => {
    const d = g.unary('Abs', g.sub(y, t));
    const near = g.binary('Min', d, g.scalar(delta, d));
    return mean(g, g.mul(near, g.sub(d, g.scale(near, 0.5))));
  },
);

/**
 * L = mean over the last trained layers of Σ(y − t)² / (Σ(t − mean t)² + ε): the share of the reference's variance that
 * is missed, so that layers of any scale weigh the same. ε = 1e-12 of one element's square.
 */
export const agreement = toTargets(
  'Share of the variance of the reference’s last layers that is missed: any model, no labels.',
  lastLayers,
  (g, y, t) => {
    const d = g.sub(y, t);
    const centred = g.sub(t, mean(g, t));
    const spread = g.sum(g.mul(centred, centred), all(t), false);
    return g.div(g.sum(g.mul(d, d), all(y), false), g.plus(spread, 1e-12));
  },
);
