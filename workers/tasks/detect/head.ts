/** @file Recognising a detection head by its output convs, its decode tail and its output's shape. */

import { type DecodeTail, findDecodeTail, outputChannels } from '../../onnx/decode-tail.ts';
import { type Dim, type Graph, type Model, shapeKnown, type Value } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { namesOf } from '../metadata.ts';

/**
 * How a detector's output is laid out. C = 4 + nc (`objectness` false) or 5 + nc numbers per candidate:
 *
 *     dense       [1, C, A] or [1, A, C]: box, (objectness,) one score per class; overlapping boxes, NMS follows
 *     end-to-end  [1, N, 6]: x₁ y₁ x₂ y₂ score class, already chosen
 */
export type DetectHead =
  | {
      readonly kind: 'dense';
      readonly output: string;
      readonly classes: number;
      readonly objectness: boolean;
      /** Candidates along the last axis ([1, C, A]) or along the middle one. */
      readonly candidates: 'last' | 'middle';
      /** Boxes are cx cy w h in input pixels, or relative to grid cells (YOLOX: decoded here). */
      readonly boxes: 'pixels' | 'grid';
      readonly family: 'YOLOv8' | 'YOLOX' | 'YOLOv5';
      readonly levels: number;
    }
  | { readonly kind: 'end-to-end'; readonly output: string; readonly classes: number | undefined };

/** Most rows that a chosen set of boxes has; more are candidates. */
const MOST_CHOSEN = 1000;

/** @returns the head, or in words why the model has none */
export function findDetectHead(model: Model): DetectHead | string {
  const index = new GraphIndex(model.graph);
  const reasons: string[] = [];
  for (const output of model.graph.outputs) {
    const found = headAt(output, model, index);
    if (typeof found !== 'string') return found;
    reasons.push(found);
  }
  return `no detect head: ${reasons.join('; ')}`;
}

function headAt(output: Value, model: Model, index: GraphIndex): DetectHead | string {
  const shape = shapeKnown(output);
  const name = `output '${output.name}'`;
  if (shape !== undefined && shape.length !== 3)
    return `${name} is [${shape.map((d) => d ?? '?').join(', ')}], and boxes have three axes`;
  const tail = findDecodeTail(model.graph, [output], index);
  const facts = tailFacts(tail, index);
  const [, middle = null, last = null] = shape ?? [];
  const chosen = chosenBoxes(output, [middle, last], tail, model);
  if (chosen !== undefined) return chosen;
  if (facts.levels === 0)
    return `${name} does not come from convolutions with box and class channels`;
  const dense = denseHead(
    facts,
    [middle, last],
    namesOf(model)?.length,
    endsTransposed(output, model.graph, index),
  );
  return dense === undefined
    ? `${name} is [${(shape ?? []).map((d) => d ?? '?').join(', ')}] and its last convolutions have ${facts.channels.join(', ')} channels: that is no known layout of boxes and scores`
    : { ...dense, output: output.name };
}

function chosenBoxes(
  output: Value,
  [rows, columns]: readonly [Dim, Dim],
  tail: DecodeTail,
  model: Model,
): DetectHead | undefined {
  const chooses = tail.ops.has('TopK') || tail.ops.has('NonMaxSuppression');
  if (!chooses || columns !== 6 || (typeof rows === 'number' && rows > MOST_CHOSEN))
    return undefined;
  return { kind: 'end-to-end', output: output.name, classes: namesOf(model)?.length };
}

interface TailFacts {
  /** Different channel counts of the output convs, rising. */
  readonly channels: readonly number[];
  /** How many output convs have each count. */
  readonly counts: ReadonlyMap<number, number>;
  readonly levels: number;
  readonly ops: ReadonlySet<string>;
}

function tailFacts(tail: DecodeTail, index: GraphIndex): TailFacts {
  const counts = new Map<number, number>();
  let convsOnly = true;
  for (const layer of tail.layers) {
    const channels = outputChannels(layer, index);
    if (channels === undefined || !/Conv/.test(layer.op)) convsOnly = false;
    else counts.set(channels, (counts.get(channels) ?? 0) + 1);
  }
  return {
    channels: [...counts.keys()].sort((a, b) => a - b),
    counts,
    levels: convsOnly ? Math.min(...counts.values(), Number.POSITIVE_INFINITY) : 0,
    ops: tail.ops,
  };
}

type Dense = Omit<Extract<DetectHead, { kind: 'dense' }>, 'output'>;

/** Try each family with C on the middle axis, then on the last; unknown axes are tried with the names' count. */
function denseHead(
  facts: TailFacts,
  [middle, last]: readonly [Dim, Dim],
  names: number | undefined,
  transposed: boolean,
): Dense | undefined {
  if (!Number.isFinite(facts.levels) || !hasScores(facts)) return undefined;
  const asked: [number | undefined, 'last' | 'middle'][] = [
    [typeof middle === 'number' ? middle : undefined, 'last'],
    [typeof last === 'number' ? last : undefined, 'middle'],
  ];
  for (const [columns, candidates] of asked) {
    if (columns === undefined) continue;
    const found = family(facts, columns);
    if (found !== undefined) return { kind: 'dense', candidates, ...found };
  }
  if (typeof middle === 'number' && typeof last === 'number') return undefined;
  for (const columns of possibleColumns(facts, names)) {
    const found = family(facts, columns);
    const candidates = transposed ? 'middle' : 'last';
    if (found !== undefined) return { kind: 'dense', candidates, ...found };
  }
  return undefined;
}

const hasScores = ({ ops }: TailFacts) =>
  ['Sigmoid', 'HardSigmoid', 'Softmax'].some((op) => ops.has(op));

function* possibleColumns(facts: TailFacts, names: number | undefined): Generator<number> {
  for (const nc of names === undefined ? facts.channels : [names]) {
    yield 4 + nc;
    yield 5 + nc;
  }
}

type Family = Pick<Dense, 'family' | 'classes' | 'objectness' | 'boxes' | 'levels'>;

function family(facts: TailFacts, columns: number): Family | undefined {
  return anchorFree(facts, columns - 4) ?? objectness(facts, columns - 5);
}

/** YOLOv8, v9, v10, 11, 12, v5u, v6: per level one conv of nc channels and one of 4 · bins. */
function anchorFree({ channels, counts, ops }: TailFacts, nc: number): Family | undefined {
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  if (nc < 1 || !counts.has(nc) || channels.length > 2 || total % 2 !== 0) return undefined;
  const box = channels.find((m) => m !== nc) ?? nc;
  if (box % 4 !== 0 || (box > 4 && !ops.has('Softmax'))) return undefined;
  if (box !== nc && counts.get(box) !== counts.get(nc)) return undefined;
  return { family: 'YOLOv8', classes: nc, objectness: false, boxes: 'pixels', levels: total / 2 };
}

/**
 * YOLOX: per level convs of 4, 1 and nc channels; boxes are relative to the grid unless the tail takes their
 * exponential. YOLOv5, v7: per level one conv of anchors · (5 + nc) channels, decoded in the tail.
 */
function objectness({ channels, counts, ops }: TailFacts, nc: number): Family | undefined {
  if (nc < 1) return undefined;
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  const parts = new Set([1, 4, nc]);
  if (total % 3 === 0 && channels.length === parts.size && channels.every((m) => parts.has(m))) {
    const boxes = ops.has('Exp') ? 'pixels' : 'grid';
    return { family: 'YOLOX', classes: nc, objectness: true, boxes, levels: total / 3 };
  }
  const [only] = channels;
  if (channels.length !== 1 || only! % (5 + nc) !== 0 || !ops.has('Mul')) return undefined;
  return { family: 'YOLOv5', classes: nc, objectness: true, boxes: 'pixels', levels: total };
}

/** Whether the output is a Transpose (or a copy of one): then candidates are on the middle axis. */
function endsTransposed(output: Value, graph: Graph, index: GraphIndex): boolean {
  let node = index.producer(output);
  for (let i = 0; node !== undefined && i < graph.nodes.length; i++) {
    if (node.op === 'Transpose') return true;
    if (!/^(Identity|Cast|QuantizeLinear|DequantizeLinear)$/.test(node.op)) return false;
    node = node.inputs[0] && index.producer(node.inputs[0]);
  }
  return false;
}
