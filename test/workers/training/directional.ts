/** @file A gradient graph against central differences, along random directions of all weights at once. */

import { backward } from '../../../workers/autodiff/backward.ts';
import { type Model, Value } from '../../../workers/onnx/graph.ts';
import { shapeOf, sizeOf } from '../../../workers/onnx/static-shapes.ts';
import { floatsOf } from '../../../workers/onnx/values.ts';
import { cutsOf, partition } from '../../../workers/runtime/parts.ts';
import { random } from '../../../workers/runtime/random.ts';
import { randomInputs } from '../../../workers/runtime/random-inputs.ts';
import { type Feed, type HostTensor, openSession } from '../../../workers/runtime/session.ts';
import { findParameters } from '../../../workers/training/parameters.ts';

export interface DirectionalCheck {
  readonly weights: number;
  readonly nodes: number;
  /** Of building the gradients, without reading and typing the model. */
  readonly buildSeconds: number;
  /** |central difference − gradient · direction| over the larger of both, one per direction. */
  readonly errors: readonly number[];
}

type Tensors = Readonly<Record<string, HostTensor>>;

/** Rounding of float32 may move a difference by this share of it. */
const NOISE = 5e-4;
/** Points of the segment at which the gradient is taken; three times as many while halves of them disagree by more than SETTLED. */
const POINTS = [12, 36, 108] as const;
const SETTLED = 2e-3;
/** Far below what float32 can tell: two evaluations so close differ by rounding only. */
const TINY = 1e-8;

/**
 * L(w) = Σ outputs · c with c seeded normal over the spread of each part of each output, so that box coordinates do not drown
 * scores. For each direction d, whose tensors have the norms of the weights,
 *
 *     (L(w + h·d) − L(w − h·d)) / 2h  =  mean over the segment from w − h·d to w + h·d of dL/dw · d
 *
 * exactly, whatever kinks (ReLU, max-pooling) lie between. The left side is summed in double precision from float32 outputs;
 * the right is taken at the middles of equal parts. h is as small as the noise of L lets it be: the noise is measured, and
 * the slope that it is compared with is a difference too.
 *
 * @param model canonical, sizes fixed; changed in place
 */
export async function checkDirections(
  model: Model,
  { directions = 5, seed = 5, threads = 1 } = {},
): Promise<DirectionalCheck> {
  const { graph } = model;
  const parameters = findParameters(graph).map((p) => p.value);
  const weights = parameters.map((v) => Float32Array.from(floatsOf(v.constant!)));
  const nodes = graph.nodes.length;
  const feeds = { ...randomInputs(model, seed) };
  const targets = graph.outputs.filter(
    (v) => v.type?.kind === 'tensor' && v.type.dtype === 'float32',
  );
  const cuts = new Map(targets.map((v) => [v.name, cutsOf(graph, v)]));
  freeWeights(model, parameters);

  const forward = await openSession(model, { threads });
  const at = (w: readonly Float32Array[]) =>
    forward.run({ ...feeds, ...weightFeeds(parameters, w) });
  const reference = await at(weights);
  const cotangents = new Map(
    targets.map((v, i) => [
      v.name,
      cotangentOf(reference[v.name]!, cuts.get(v.name)!, random(seed + 100 + i)),
    ]),
  );

  const started = performance.now();
  const seeds = targets.map((value) => {
    const gradient = new Value(`cotangent/${value.name}`, value.type);
    graph.inputs.push(gradient);
    return { value, gradient };
  });
  const gradients = backward(graph, seeds, parameters);
  const buildSeconds = (performance.now() - started) / 1000;
  graph.outputs = [...new Set(gradients)];
  const session = await openSession(model, { threads });
  const fixed = {
    ...feeds,
    ...Object.fromEntries(
      seeds.map(({ value, gradient }) => [
        gradient.name,
        { dims: shapeOf(value), data: cotangents.get(value.name)! },
      ]),
    ),
  };
  const slopesAt = async (w: readonly Float32Array[]) => {
    const found = await session.run({ ...fixed, ...weightFeeds(parameters, w) });
    return gradients.map((g) => found[g.name]!.data as Float32Array);
  };
  const slopes = await slopesAt(weights);

  const loss = async (direction: readonly Float32Array[], h: number) =>
    lossOf(await at(moved(weights, direction, h)), cotangents);
  const errors: number[] = [];
  let h = 0;
  for (let k = 0; k < directions; k++) {
    const direction = directionOf(weights, slopes, random(seed + 1000 + k));
    h ||= await leastStep((step) => loss(direction, step));
    const measured = ((await loss(direction, h)) - (await loss(direction, -h))) / (2 * h);
    const expected = await meanSlope(async (t) =>
      dot(await slopesAt(moved(weights, direction, t * h)), direction),
    );
    errors.push(
      Math.abs(measured - expected) / Math.max(Math.abs(measured), Math.abs(expected), 1e-30),
    );
  }
  await forward.release();
  await session.release();
  return { weights: parameters.length, nodes, buildSeconds, errors };
}

/**
 * Mean of `slope` over −1…1, at the middles of equal parts. How far the means over every other part lie from each other tells,
 * without a look at the difference it is compared with, whether the parts are small enough for the kinks between them.
 */
async function meanSlope(slope: (t: number) => Promise<number>): Promise<number> {
  let mean = 0;
  for (const points of POINTS) {
    const halves = [0, 0];
    for (let i = 0; i < points; i++)
      halves[i % 2]! += (await slope((2 * i + 1) / points - 1)) / (points / 2);
    mean = (halves[0]! + halves[1]!) / 2;
    if (Math.abs(halves[0]! - halves[1]!) < SETTLED * Math.abs(mean)) break;
  }
  return mean;
}

/** The h at which the noise of a difference is NOISE of it. */
async function leastStep(loss: (h: number) => Promise<number>): Promise<number> {
  const near: number[] = [];
  for (let k = 1; k <= 6; k++) near.push(await loss(k * TINY));
  const mean = near.reduce((a, b) => a + b) / near.length;
  const variance = near.reduce((a, x) => a + (x - mean) ** 2, 0) / (near.length - 1);
  const slope = Math.abs((await loss(1e-4)) - (await loss(-1e-4))) / 2e-4;
  return Math.min(1e-2, Math.max(1e-6, Math.sqrt(variance / 2) / (NOISE * slope)));
}

/** The initializers become inputs. */
function freeWeights({ graph }: Model, parameters: readonly Value[]): void {
  const mine = new Set(parameters);
  graph.initializers = graph.initializers.filter((v) => !mine.has(v));
  for (const v of parameters) v.constant = undefined;
  graph.inputs = [...graph.inputs.filter((v) => !mine.has(v)), ...parameters];
}

const weightFeeds = (parameters: readonly Value[], w: readonly Float32Array[]) =>
  Object.fromEntries(
    parameters.map((v, i): [string, Feed] => [v.name, { dims: shapeOf(v), data: w[i]! }]),
  );

/** Normal numbers, each part's over the part's spread and the root of its size. */
function cotangentOf(
  { dims, data }: HostTensor,
  cuts: ReturnType<typeof cutsOf>,
  rng: ReturnType<typeof random>,
): Float32Array {
  const { partAt, count } = partition(dims, cuts);
  const [n, sum, squares] = [0, 1, 2].map(() => new Float64Array(count)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let i = 0; i < data.length; i++) {
    const [p, x] = [partAt(i), Number(data[i])];
    n[p]! += 1;
    sum[p]! += x;
    squares[p]! += x * x;
  }
  const scale = n.map((size, p) => {
    const mean = sum[p]! / size;
    const spread = Math.sqrt(Math.max(squares[p]! / size - mean * mean, 0)) || 1;
    return 1 / (spread * Math.sqrt(size));
  });
  return Float32Array.from({ length: sizeOf(dims) }, (_, i) => rng.normal() * scale[partAt(i)]!);
}

function lossOf(outputs: Tensors, cotangents: ReadonlyMap<string, Float32Array>): number {
  let total = 0;
  for (const [name, c] of cotangents) {
    const { data } = outputs[name]!;
    for (let i = 0; i < c.length; i++) total += c[i]! * Number(data[i]);
  }
  return total;
}

/** Normal directions with the norm of each weight (of 1 where that is zero). */
function directionOf(
  weights: readonly Float32Array[],
  slopes: readonly Float32Array[],
  rng: ReturnType<typeof random>,
): Float32Array[] {
  return weights.map((w, k) => {
    const d = Float32Array.from(w, rng.normal);
    const norm = Math.sqrt(dot([w], [w])) || 1;
    const sign = dot([slopes[k]!], [d]) < 0 ? -1 : 1;
    const scale = (sign * norm) / Math.sqrt(dot([d], [d]));
    return d.map((x) => x * scale);
  });
}

const moved = (w: readonly Float32Array[], d: readonly Float32Array[], h: number) =>
  w.map((tensor, k) => tensor.map((x, i) => x + h * d[k]![i]!));

function dot(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let total = 0;
  for (const [k, x] of a.entries()) for (let i = 0; i < x.length; i++) total += x[i]! * b[k]![i]!;
  return total;
}
