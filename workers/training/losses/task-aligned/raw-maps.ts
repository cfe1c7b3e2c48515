/** @file Where an anchor-free detector's raw numbers are: the outputs of its last convs, level by level. */

import { findDecodeTail, outputChannels } from '../../../onnx/decode-tail.ts';
import type { Graph, Value } from '../../../onnx/graph.ts';
import { shapeOf } from '../../../onnx/static-shapes.ts';
import { GraphIndex } from '../../../onnx/uses.ts';
import { headOf } from '../../../tasks/detect/detect.ts';
import type { TaskBinding } from '../../../tasks/task.ts';

export interface RawLevel {
  /** [B, 4·bins, H, W]: logits of the distances left, top, right, bottom. */
  readonly box: Value;
  /** [B, classes, H, W]: class logits. */
  readonly cls: Value;
  /** Input pixels per cell, along height and width. */
  readonly stride: number;
}

export interface RawMaps {
  /** Finest first. */
  readonly levels: readonly RawLevel[];
  readonly classes: number;
  readonly bins: number;
}

/**
 * The maps of a head that predicts, per cell, class logits and four distributions of distances (Li 2020).
 *
 * @returns in words why the model has no such head, where it has none
 */
export function rawMaps(graph: Graph, binding: TaskBinding): RawMaps | string {
  if (binding.task !== 'detect') return `its task is ${binding.task}`;
  const head = headOf(binding);
  if (head.kind !== 'dense' || head.family !== 'YOLOv8')
    return 'its head does not predict class logits and distance distributions per cell';
  const index = new GraphIndex(graph);
  const output = graph.outputs.find((v) => v.name === head.output);
  const { layers } = findDecodeTail(graph, output && [output], index);
  const maps = layers.map((layer) => ({
    value: layer.outputs[0]!,
    channels: outputChannels(layer, index)!,
  }));
  const boxChannels = maps.find((m) => m.channels !== head.classes)?.channels ?? head.classes;
  const bins = boxChannels / 4;
  if (!Number.isInteger(bins) || bins < 2)
    return `its box convs have ${boxChannels} channels: distances are not distributions`;
  const isBox = splitByRole(maps, boxChannels, head.classes);
  const bySize = (wanted: boolean) =>
    maps.flatMap((m, i) => (isBox[i] === wanted ? [m.value] : [])).sort(byArea);
  const [boxes, scores] = [bySize(true), bySize(false)];
  if (boxes.length !== scores.length || boxes.some((b, i) => area(b) !== area(scores[i]!)))
    return 'its box and class convs do not come in pairs of equal size';
  const levels = boxes.map((box, i) => ({
    box,
    cls: scores[i]!,
    stride: binding.inputSize[0] / shapeOf(box)[2]!,
  }));
  const misfit = levels.find(
    ({ box, stride }) => binding.inputSize[1] / shapeOf(box)[3]! !== stride,
  );
  if (misfit) return `map '${misfit.box.name}' is not a whole fraction of the input`;
  return { levels, classes: head.classes, bins };
}

/** Where boxes and classes have equally many channels, each level's first conv is the box conv. */
function splitByRole(
  maps: readonly { value: Value; channels: number }[],
  box: number,
  classes: number,
): boolean[] {
  if (box !== classes) return maps.map((m) => m.channels === box);
  const seen = new Set<number>();
  return maps.map(({ value }) => {
    const first = !seen.has(area(value));
    seen.add(area(value));
    return first;
  });
}

const area = (v: Value): number => shapeOf(v)[2]! * shapeOf(v)[3]!;
const byArea = (a: Value, b: Value): number => area(b) - area(a);
