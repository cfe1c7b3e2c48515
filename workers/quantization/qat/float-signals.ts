/** @file What a quantized model is to learn from the float one, by the task: where its answers lie, and how far off it is. */

import { boxDistribution } from '../../distillation/signals/box-distribution.ts';
import { logitCrossEntropy, logitDivergence } from '../../distillation/signals/class-logits.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import { findDecodeTail } from '../../onnx/decode-tail.ts';
import type { Graph, Value } from '../../onnx/graph.ts';
import { dtypeOf, range, shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import { classLogits } from '../../training/losses/class-logits.ts';
import { rawMaps } from '../../training/losses/task-aligned/raw-maps.ts';

export interface FloatSignals {
  readonly name: string;
  /** Values that both models have; the float model's come in as constants. */
  readonly reads: readonly Value[];
  /** A scalar, 0 where the quantized model says what the float one says; `teacher` in the order of `reads`. */
  build(g: GraphBuilder, teacher: readonly Value[], batch: number): Value;
}

/** Weight of box distributions beside classes. */
const BOX = 1.5;

/** Detectors with raw maps: classes and box distributions; classifiers: their logits; else the last trained layers. */
export function floatSignals(graph: Graph, binding: TaskBinding): FloatSignals {
  const maps = rawMaps(graph, binding);
  if (typeof maps !== 'string') {
    const reads = [...maps.levels.map((l) => l.cls), ...maps.levels.map((l) => l.box)];
    return { name: 'class logits and box distributions', reads, build: detector(reads, maps.bins) };
  }
  const found = classLogits(graph, binding);
  if (typeof found !== 'string') {
    const { logits, classes } = found;
    return {
      name: 'class logits',
      reads: [logits],
      build: (g, [teacher], batch) =>
        logitDivergence.build(
          g,
          g.reshape(logits, [batch, classes]),
          g.reshape(teacher!, [batch, classes]),
          {},
        ),
    };
  }
  return { name: 'last layers', ...lastLayers(graph) };
}

/**
 * With p the float model's scores, w = max_c p of a place and N = max(Σ w, 1):
 *
 *     L = Σ_{places, classes} (BCE(logit, p) − H(p)) / N + 1.5·Σ_places w·mean over 4 sides of KL / Σ w
 */
function detector(reads: readonly Value[], bins: number): FloatSignals['build'] {
  const levels = reads.length / 2;
  return (g, teacher, batch) => {
    const join = (values: readonly Value[]) =>
      g.concat(
        values.map((v) => {
          const [, channels, ...area] = shapeOf(v) as [number, number, ...number[]];
          return g.reshape(v, [batch, channels, sizeOf(area)]);
        }),
        2,
      );
    const [cls, box] = [join(reads.slice(0, levels)), join(reads.slice(levels))];
    const [wanted, sides] = [join(teacher.slice(0, levels)), join(teacher.slice(levels))];
    const sure = g.reduce('ReduceMax', g.sigmoid(wanted), [1], false);
    const count = g.sum(sure, [0, 1], false);
    const n = g.binary('Max', count, g.scalar(1, count));
    const entropy = logitCrossEntropy.build(g, wanted, wanted, {});
    const mean = g.sub(logitCrossEntropy.build(g, cls, wanted, {}), entropy);
    const classes = g.div(g.scale(mean, sizeOf(shapeOf(cls))), n);
    const boxes = boxDistribution.build(g, box, sides, { bins, locationWeight: sure });
    return g.add(classes, g.scale(boxes, BOX));
  };
}

/** L = mean over layers of Σ(y − t)² / Σ(t − mean t)²: layers of any scale weigh the same. */
function lastLayers(graph: Graph): Omit<FloatSignals, 'name'> {
  const layers = findDecodeTail(graph).layers.flatMap((n) => n.outputs[0] ?? []);
  const reads = (layers.length > 0 ? layers : graph.outputs).filter(
    (v) => dtypeOf(v) === 'float32',
  );
  return {
    reads,
    build: (g, teacher) => {
      const each = reads.map((y, i) => missed(g, y, teacher[i]!));
      return g.scale(each.reduce(g.add), 1 / each.length);
    },
  };
}

function missed(g: GraphBuilder, y: Value, t: Value): Value {
  const all = range(shapeOf(t).length);
  const squares = (v: Value) => g.reduce('ReduceSumSquare', v, all, false);
  const mean = g.scale(g.sum(t, all, false), 1 / sizeOf(shapeOf(t)));
  return g.div(squares(g.sub(y, t)), g.plus(squares(g.sub(t, mean)), 1e-12));
}
