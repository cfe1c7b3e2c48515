/** @file Gradients of a training loss on labels: the data set's, or the model's own predictions read as labels. */

import type { Graph } from '../../../onnx/graph.ts';
import { shapeKnown } from '../../../onnx/graph.ts';
import { lossContext } from '../../../training/losses/context.ts';
import type { BoundLoss } from '../../../training/losses/loss.ts';
import type { GradientSource } from './source.ts';

/**
 * @param bind finds in the graph what the loss reads: chooseLoss (training/losses/registry.ts) makes it
 * @throws TypeError `internal:` an image has no labels
 */
export function lossSource(bind: (graph: Graph) => BoundLoss): GradientSource {
  return {
    build(g, { graph }) {
      const batch = shapeKnown(graph.inputs.find((v) => !v.constant))?.[0];
      const bound = bind(graph);
      const { context, stop } = lossContext(g, typeof batch === 'number' ? batch : 1);
      const { total, feeds } = bound.build(context);
      return {
        seeds: [{ value: total, gradient: g.scalar(1, total) }],
        stop,
        runs({ labels }) {
          if (labels === undefined) throw new TypeError('internal: a loss needs labels');
          return [feeds(labels)];
        },
      };
    },
  };
}
