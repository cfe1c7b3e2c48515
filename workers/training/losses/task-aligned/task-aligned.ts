/** @file The detection loss of anchor-free heads with distance distributions: class, box and distribution parts. */

import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Value } from '../../../onnx/graph.ts';
import { range, shapeOf } from '../../../onnx/static-shapes.ts';
import { Tensor } from '../../../onnx/tensor.ts';
import { SYMBOLIC, symbolic } from '../../symbolic.ts';
import type { BuiltLoss, Loss, LossContext } from '../loss.ts';
import { type Assignment, assign } from './assign.ts';
import { type Corners, completeIoU } from './boxes.ts';
import { type Cells, cells } from './cells.ts';
import { decode, joinedBoxes, joinedClasses, logShares } from './joined.ts';
import { type RawMaps, rawMaps } from './raw-maps.ts';

/** Weights of the three parts. */
const GAINS = { box: 7.5, cls: 0.5, dfl: 1.5 };

/**
 * L = B·(7.5·box + 0.5·cls + 1.5·dfl), N = max(Σ target scores, 1):
 *
 *     cls = Σ_{cells, classes} BCE(logit, target score of the assigned class) / N
 *     box = Σ_cells w·(1 − CIoU(predicted, assigned)) / N            w: the cell's target score
 *     dfl = Σ_cells w·mean over 4 sides of CE(distribution, the two bins around the true distance) / N
 *
 * Targets come from task-aligned assignment on detached predictions, inside the graph.
 * Source: Feng 2021 (TOOD), Li 2020 (Generalized Focal Loss), Zheng 2020 (CIoU).
 */
export const taskAligned: Loss = {
  summary:
    'Anchor-free detectors with distance distributions: task-aligned assignment, BCE, CIoU, DFL.',
  labels: 'boxes',
  bind(graph, binding) {
    const maps = rawMaps(graph, binding);
    if (typeof maps === 'string') return { misfit: maps };
    return {
      reads: maps.levels.flatMap(({ box, cls }) => [box, cls]),
      build: (context) => buildTaskAligned(maps, context),
    };
  },
};

/** The loss over raw maps, and the assignment that it made. */
export function buildTaskAligned(
  maps: RawMaps,
  { g, batch, detach, input }: LossContext,
): BuiltLoss & { readonly assignment: Assignment } {
  const [boxes, classes] = [
    input('labels/boxes', [batch, SYMBOLIC, 4]),
    input('labels/classes', [batch, SYMBOLIC], 'int64'),
  ];
  const at = cells(g, maps);
  const log = logShares(g, joinedBoxes(g, maps, batch));
  const logits = joinedClasses(g, maps, batch);
  const predicted = decode(g, log, at, maps.bins);
  const targets = symbolic(g, () =>
    assign(g, boxes, classes, {
      boxes: predicted.map((v) => g.mul(detach(v), at.stride)) as unknown as Corners,
      logits: detach(logits),
      centres: [g.mul(at.x, at.stride), g.mul(at.y, at.stride)],
    }),
  );
  const total = g.sum(targets.score, [0, 1, 2], false);
  const n = g.binary('Max', total, g.scalar(1, total));
  const assigned = targets.box.map((v) => g.div(v, at.stride)) as unknown as Corners;
  const parts = {
    box: g.div(boxPart(g, predicted, assigned, targets.score, detach), n),
    cls: g.div(classPart(g, logits, targets), n),
    dfl: g.div(distributionPart(g, log, assigned, targets.score, at, maps.bins), n),
  };
  const weighted = (['box', 'cls', 'dfl'] as const).map((k) => g.scale(parts[k], GAINS[k]));
  return {
    total: g.scale(weighted.reduce(g.add), batch),
    parts,
    assignment: targets,
    feeds: (labels) => {
      if (labels.kind !== 'boxes') throw new TypeError('internal: the labels are no boxes');
      const dims = [batch, labels.most];
      return {
        'labels/boxes': { dims: [...dims, 4], data: labels.boxes },
        'labels/classes': { dims, data: labels.classes, dtype: 'int64' },
      };
    },
  };
}

function boxPart(
  g: GraphBuilder,
  predicted: Corners,
  assigned: Corners,
  score: Value,
  detach: LossContext['detach'],
): Value {
  const ciou = completeIoU(g, predicted, assigned, detach);
  return g.sum(g.mul(score, g.sub(g.scalar(1, ciou), ciou)), [0, 1, 2], false);
}

/** BCE with logits: softplus(x) − x·t. */
function classPart(g: GraphBuilder, logits: Value, { score, cls }: Assignment): Value {
  const classes = shapeOf(logits)[1]!;
  const each = g.tensor(Tensor.int64([1, classes, 1], range(classes)));
  const target = g.where(g.compare('Equal', cls, each), score, g.scalar(0, score));
  const loss = g.sub(g.unary('Softplus', logits), g.mul(logits, target));
  return g.sum(loss, [0, 1, 2], false);
}

/** −Σ w·¼ Σ_sides Σ_bins max(0, 1 − |d − bin|)·ln softmax: the linear weights of the two bins around d. */
function distributionPart(
  g: GraphBuilder,
  log: Value,
  [x1, y1, x2, y2]: Corners,
  score: Value,
  { x, y }: Cells,
  bins: number,
): Value {
  const sides = g.concat([g.sub(x, x1), g.sub(y, y1), g.sub(x2, x), g.sub(y2, y)], 1);
  const [batch, , anchors] = shapeOf(sides) as [number, number, number];
  const clipped = g.op(
    'Clip',
    [sides, g.scalar(0, sides), g.scalar(bins - 1 - 0.01, sides)],
    shapeOf(sides),
  );
  const d = g.reshape(clipped, [batch, 4, 1, anchors]);
  const away = g.unary('Abs', g.sub(d, g.floats([1, 1, bins, 1], range(bins), d)));
  const weights = g.unary('Relu', g.sub(g.scalar(1, away), away));
  const perSide = g.mul(g.sum(g.mul(weights, log), [2], false), score);
  return g.scale(g.sum(perSide, [0, 1, 2], false), -1 / 4);
}
