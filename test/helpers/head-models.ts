/** @file One tiny detector of each family that exporters write: three levels on an input of 64 × 64, 84 cells. */

import type { Model } from '../../workers/onnx/graph.ts';
import { modelOf, randomWeight, shapeWeight, type Weight } from './tiny-model.ts';

const CELLS = 84;
const BINS = 4;
const LEVELS = [8, 16, 32];

/** Collects the nodes and weights of a model being written. */
class Pen {
  readonly nodes: string[] = [];
  readonly weights: Record<string, Weight> = {};
  readonly inputs: string[] = [];

  /** Per level, one 1×1 conv with `channels` outputs: names of its results. */
  convs(name: string, channels: number): string[] {
    return LEVELS.map((stride, i) => {
      const weight = `${name}${i}_w`;
      this.weight('float', weight, randomWeight([channels, 3, 1, 1], 7 * channels + i, 0.01));
      this.nodes.push(`${name}${i} = Conv<strides=[${stride}, ${stride}]>(x, ${weight})`);
      return `${name}${i}`;
    });
  }

  weight(dtype: 'float' | 'int64', name: string, weight: Weight): string {
    this.weights[name] = weight;
    this.inputs.push(`${dtype}[${weight.dims.join(', ')}] ${name}`);
    return name;
  }

  op(result: string, call: string): string {
    this.nodes.push(`${result} = ${call}`);
    return result;
  }

  reshape(result: string, value: string, ...shape: number[]): string {
    return this.op(
      result,
      `Reshape(${value}, ${this.weight('int64', `${result}_shape`, shapeWeight(...shape))})`,
    );
  }

  build(outputs: string, metadata: Readonly<Record<string, string>> = {}): Model {
    const text = `(float[1, 3, 64, 64] x, ${this.inputs.join(', ')}) => (${outputs}) {
      ${this.nodes.join('\n      ')}
    }`;
    return modelOf(text, this.weights, metadata);
  }
}

/** Convs of one kind, level by level, joined to [1, channels, 84]. */
function joined(pen: Pen, name: string, channels: number): string {
  const flat = pen.convs(name, channels).map((v) => pen.reshape(`${v}_flat`, v, 1, channels, -1));
  return pen.op(`${name}_all`, `Concat<axis=2>(${flat.join(', ')})`);
}

/** Mean of the distribution over bins, per side. */
function boxes(pen: Pen, distribution: string): string {
  const sides = pen.reshape('sides', distribution, 1, 4, BINS, CELLS);
  pen.op('bins', `Transpose<perm=[0, 2, 1, 3]>(${sides})`);
  pen.op('shares', 'Softmax<axis=1>(bins)');
  const ramp = pen.weight('float', 'ramp', { dims: [1, BINS, 1, 1], data: [0, 1, 2, 3] });
  pen.op('means', `Conv(shares, ${ramp})`);
  return pen.reshape('boxes', 'means', 1, 4, CELLS);
}

export interface HeadOptions {
  readonly classes?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Declared shape of the output, where it is not the true one. */
  readonly shape?: string;
}

/** YOLOv8 of 8.4: boxes and scores gathered apart. `extra` adds parts behind the scores (angles, key points). */
export function yolov8(
  options: HeadOptions & { extra?: readonly number[]; transposed?: boolean } = {},
) {
  const { classes = 3, extra = [], transposed = false, metadata } = options;
  const pen = new Pen();
  const box = boxes(pen, joined(pen, 'b', 4 * BINS));
  pen.op('scores', `Sigmoid(${joined(pen, 'c', classes)})`);
  const more = extra.map((channels, i) => joined(pen, `e${i}_`, channels));
  const columns = 4 + classes + extra.reduce((a, b) => a + b, 0);
  const parts = `Concat<axis=1>(${[box, 'scores', ...more].join(', ')})`;
  if (!transposed) pen.op('y', parts);
  else pen.op('y', `Transpose<perm=[0, 2, 1]>(${pen.op('columns', parts)})`);
  const shape = transposed ? `1, ${CELLS}, ${columns}` : `1, ${columns}, ${CELLS}`;
  return pen.build(`float[${options.shape ?? shape}] y`, metadata);
}

/** YOLOv8 of 8.0 to 8.3: joined per level, divided afterwards. */
export function yolov8Joined({ classes = 3, metadata }: HeadOptions = {}): Model {
  const pen = new Pen();
  const b = pen.convs('b', 4 * BINS);
  const levels = pen
    .convs('c', classes)
    .map((c, i) => pen.op(`j${i}`, `Concat<axis=1>(${b[i]}, ${c})`))
    .map((j) => pen.reshape(`${j}_flat`, j, 1, 4 * BINS + classes, -1));
  pen.op('all', `Concat<axis=2>(${levels.join(', ')})`);
  const parts = pen.weight('int64', 'parts', shapeWeight(4 * BINS, classes));
  pen.nodes.push(`distribution, logits = Split<axis=1>(all, ${parts})`);
  const box = boxes(pen, 'distribution');
  pen.op('scores', 'Sigmoid(logits)');
  pen.op('y', `Concat<axis=1>(${box}, scores)`);
  return pen.build(`float[1, ${4 + classes}, ${CELLS}] y`, metadata);
}

/** YOLOX: box, objectness and scores per level; boxes as the convs say them, or with the exponential taken. */
export function yolox({
  classes = 3,
  metadata,
  decoded = false,
}: HeadOptions & { decoded?: boolean } = {}) {
  const pen = new Pen();
  const [b, o, c] = [pen.convs('b', 4), pen.convs('o', 1), pen.convs('c', classes)];
  const levels = b
    .map((box, i) => {
      const shown = decoded ? pen.op(`${box}_exp`, `Exp(${box})`) : box;
      const rest = [o[i]!, c[i]!].map((v) => pen.op(`${v}_s`, `Sigmoid(${v})`));
      return pen.op(`j${i}`, `Concat<axis=1>(${[shown, ...rest].join(', ')})`);
    })
    .map((j) => pen.reshape(`${j}_flat`, j, 1, 5 + classes, -1));
  pen.op('all', `Concat<axis=2>(${levels.join(', ')})`);
  pen.op('y', 'Transpose<perm=[0, 2, 1]>(all)');
  return pen.build(`float[1, ${CELLS}, ${5 + classes}] y`, metadata);
}

/** YOLOv5 and v7: per level one conv for three anchors, decoded in the graph. */
export function yolov5({ classes = 3, metadata }: HeadOptions = {}): Model {
  const pen = new Pen();
  const columns = 5 + classes;
  const scale = pen.weight('float', 'scale', { dims: [1], data: [2] });
  const levels = pen.convs('p', 3 * columns).map((p) => {
    const anchors = pen.reshape(`${p}_anchors`, p, 1, 3, columns, -1);
    const last = pen.op(`${p}_last`, `Transpose<perm=[0, 1, 3, 2]>(${anchors})`);
    const decoded = pen.op(`${p}_mul`, `Mul(${pen.op(`${p}_s`, `Sigmoid(${last})`)}, ${scale})`);
    return pen.reshape(`${p}_rows`, decoded, 1, -1, columns);
  });
  pen.op('y', `Concat<axis=1>(${levels.join(', ')})`);
  return pen.build(`float[1, ${3 * CELLS}, ${columns}] y`, metadata);
}

/** YOLOv10, YOLO26: the ten best boxes, chosen in the graph. */
export function endToEnd({ classes = 3, metadata }: HeadOptions = {}): Model {
  const pen = new Pen();
  const box = boxes(pen, joined(pen, 'b', 4 * BINS));
  pen.op('scores', `Sigmoid(${joined(pen, 'c', classes)})`);
  pen.op('best', 'ReduceMax<keepdims=0>(scores, axis)');
  pen.weight('int64', 'axis', shapeWeight(1));
  pen.nodes.push(`top, index = TopK<axis=1>(best, ${pen.weight('int64', 'k', shapeWeight(10))})`);
  pen.op('rows', `Transpose<perm=[0, 2, 1]>(${box})`);
  pen.op('column', `Unsqueeze(index, ${pen.weight('int64', 'last', shapeWeight(2))})`);
  pen.op('four', `Expand(column, ${pen.weight('int64', 'wide', shapeWeight(1, 10, 4))})`);
  pen.op('chosen', 'GatherElements<axis=1>(rows, four)');
  pen.op('score', 'Unsqueeze(top, last)');
  pen.op('y', 'Concat<axis=2>(chosen, score, score)');
  return pen.build('float[1, 10, 6] y', metadata);
}

/** A transformer's head: boxes and scores from matrix products, not from convs. */
export function transformerHead(): Model {
  const pen = new Pen();
  const tokens = pen.reshape('tokens', pen.convs('f', 8)[0]!, 1, 64, 8);
  const w = (name: string, n: number) => pen.weight('float', name, randomWeight([8, n], n, 0.1));
  pen.op('b', `Sigmoid(${pen.op('bl', `MatMul(${tokens}, ${w('bw', 4)})`)})`);
  pen.op('c', `Sigmoid(${pen.op('cl', `MatMul(${tokens}, ${w('cw', 3)})`)})`);
  pen.op('y', 'Concat<axis=2>(b, c)');
  return pen.build('float[1, 64, 7] y');
}
