/** @file How long layers take at other widths, measured on this worker: a table per layer, read between its points. */

import { setImmediate } from 'node:timers/promises';
import { intOf } from '../../onnx/attributes.ts';
import { type Model, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import { isStatic } from '../../onnx/static-shapes.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { openSession } from '../../runtime/session.ts';
import { type Layer, layersOf } from '../coupling/layers.ts';
import type { AxisOf } from '../search/axis-places.ts';

/** Shares of a layer's widths that are measured. */
const POINTS = [0.25, 0.5, 0.75, 1];
/** Runs that are timed, and that are not, at each. */
const [TIMED, WARM] = [7, 2];

export interface LayerTimes {
  readonly node: Node;
  /** Axes along which its widths lie. */
  readonly output: AxisOf;
  /** Undefined: channels in go with channels out (conv groups). */
  readonly input: AxisOf | undefined;
  /** Widths that were measured, rising, and ms by output width, then input width. */
  readonly outputs: readonly number[];
  readonly inputs: readonly number[];
  readonly ms: readonly (readonly number[])[];
}

export interface LayerTimesOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  progress(done: number): void;
}

/** Equal layers are measured once per process, in all rounds of a pruning. */
const measured = new Map<string, readonly (readonly number[])[]>();

/**
 * Every Conv, Gemm and MatMul by itself, at a quarter, half, three quarters and all of its widths: the median of 7 runs at batch 1.
 *
 * @throws MODEL_CANNOT_RUN
 */
export async function layerTimes(
  model: Model,
  { progress, ...options }: LayerTimesOptions,
): Promise<LayerTimes[]> {
  const layers = layersOf(model).filter(canStandAlone);
  const found: LayerTimes[] = [];
  for (const [i, layer] of layers.entries()) {
    found.push(await timesOf(model, layer, options));
    progress((i + 1) / layers.length);
  }
  return found;
}

/** Sizes known, weight second, float32. */
function canStandAlone({ node, weight, input, output }: Layer): boolean {
  const sized = [input, output].every(isStatic);
  const plain =
    node.op === 'Conv' || (weight.constant!.dims.length === 2 && node.op !== 'ConvTranspose');
  return sized && plain && node.inputs[1] === weight && weight.constant!.dtype === 'float32';
}

async function timesOf(
  model: Model,
  layer: Layer,
  options: Omit<LayerTimesOptions, 'progress'>,
): Promise<LayerTimes> {
  const { node, weight, weightInAxis, output, outputAxis } = layer;
  const { dims } = weight.constant!;
  const groups = node.op === 'Conv' ? intOf(node, 'group', 1) : 1;
  const widths = (n: number, unit: number) => [
    ...new Set(POINTS.map((share) => unit * Math.max(1, Math.round((share * n) / unit)))),
  ];
  const outWidth = dims[1 - weightInAxis]!;
  const outputs = widths(outWidth, groups === 1 ? 1 : outWidth / groups);
  const inputs = groups === 1 ? widths(dims[weightInAxis]!, 1) : [dims[weightInAxis]!];
  const key = JSON.stringify([
    node.op,
    dims,
    groups,
    shapeKnown(layer.input),
    shapeKnown(output),
    [...Object.entries(node.attributes).filter(([, a]) => a.type === 'ints')].map(([name, a]) => [
      name,
      a.type === 'ints' ? a.value.map(Number) : [],
    ]),
  ]);
  const ms = measured.get(key) ?? (await measure(model, layer, outputs, inputs, groups, options));
  measured.set(key, ms);
  return {
    ...{ node, outputs, inputs, ms, output: { value: output, axis: outputAxis } },
    input: groups === 1 ? { value: weight, axis: weightInAxis } : undefined,
  };
}

async function measure(
  model: Model,
  layer: Layer,
  outputs: readonly number[],
  inputs: readonly number[],
  groups: number,
  options: Omit<LayerTimesOptions, 'progress'>,
): Promise<number[][]> {
  const rows: number[][] = [];
  for (const out of outputs) {
    const row: number[] = [];
    for (const inner of inputs) {
      options.signal.throwIfAborted();
      row.push(await timeAlone(alone(model, layer, out, inner, groups), options));
      await setImmediate();
    }
    rows.push(row);
  }
  return rows;
}

/** A model of the layer alone, at other widths; weights do not matter to the time. */
function alone(model: Model, layer: Layer, out: number, inner: number, groups: number) {
  const { node, weight, weightInAxis, input } = layer;
  const dims = [...weight.constant!.dims];
  const left = groups === 1 ? 1 : Math.round((groups * out) / dims[1 - weightInAxis]!);
  dims[1 - weightInAxis] = out;
  dims[weightInAxis] = inner;
  const shape = [...(shapeKnown(input) as number[])];
  const channels = node.op === 'Conv' ? 1 : shape.length - 1;
  shape[channels] = groups === 1 ? inner : inner * left;
  const x = new Value('x', { kind: 'tensor', dtype: 'float32', shape });
  const w = new Value('w', { kind: 'tensor', dtype: 'float32', shape: dims });
  const size = dims.reduce((n, d) => n * d, 1);
  w.constant = Tensor.float32(dims, new Float32Array(size).fill(1 / size));
  const y = new Value('y');
  const attributes = { ...node.attributes };
  if (groups > 1) attributes['group'] = { type: 'int', value: left };
  const nodes = [{ ...node, inputs: [x, w], outputs: [y], attributes }];
  const graph = { ...model.graph, nodes, inputs: [x], outputs: [y], initializers: [w] };
  return { model: { ...model, graph }, shape };
}

async function timeAlone(
  { model, shape }: ReturnType<typeof alone>,
  options: Omit<LayerTimesOptions, 'progress'>,
): Promise<number> {
  const session = await openSession(model, { ...options, spinning: false });
  try {
    const feeds = {
      x: { dims: shape, data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(0.5) },
    };
    const times: number[] = [];
    for (let i = 0; i < WARM + TIMED; i++) {
      const start = performance.now();
      await session.run(feeds);
      if (i >= WARM) times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[Math.floor(TIMED / 2)]!;
  } finally {
    await session.release();
  }
}

/** ms at any widths: linear between the points, on along the outer pieces, never below 0. */
export function timeAt({ outputs, inputs, ms }: LayerTimes, out: number, inner: number): number {
  const rows = ms.map((row) => between(inputs, row, inner));
  return Math.max(0, between(outputs, rows, out));
}

function between(at: readonly number[], values: readonly number[], x: number): number {
  if (at.length === 1) return values[0]!;
  const found = at.findIndex((a) => a >= x);
  const i = Math.max(1, found < 0 ? at.length - 1 : found);
  const share = (x - at[i - 1]!) / (at[i]! - at[i - 1]!);
  return values[i - 1]! + share * (values[i]! - values[i - 1]!);
}
