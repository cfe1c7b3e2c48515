/** @file What removal of channels does to the loss: one session, with masks as inputs. */

import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, type Model, shapeKnown, Value } from '../onnx/graph.ts';
import { type Feed, openSession, type Session } from '../runtime/session.ts';
import { canonical } from '../training/canonical.ts';
import type { Group } from './coupling/groups.ts';
import { cotangentTargets } from './criteria/sources/cotangents.ts';
import type { BuiltSource, Calibration, Feeds } from './criteria/sources/source.ts';
import type { Gradients } from './gradients.ts';

const IMAGES = 4;

export interface MaskedLossOptions {
  /** Calibration images, the first ones, that every case is measured on; default 4. */
  readonly images?: number;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  progress(done: number): void;
}

/** Channels that run through tensors, as those of a group do. */
export type Maskable = Pick<Group, 'activations'>;

/** Channels that are gone. */
export interface Masked {
  readonly group: Maskable;
  readonly channels: readonly number[];
}

/** Per masked axis of a tensor, what is multiplied on it. */
interface Mask {
  readonly input: Value;
  readonly size: number;
}

type Masks = ReadonlyMap<string, Mask>;
type Loss = (feeds: Feeds, image: Calibration, index: number) => Promise<number>;

const keyOf = (name: string, axis: number) => `${axis} ${name}`;

/**
 * Mean loss over the first calibration images, for every case with its channels masked to zero. The loss is that of the gradients'
 * source; for random cotangents, which have none, Σ (y − y₀)² / Σ y₀² over the outputs of the last trained layers, y₀ those of the
 * whole model.
 *
 * @param groups all that any case names
 * @param cases what is masked at once in each; where the source is cotangents the first has to be nothing
 * @throws MODEL_CANNOT_RUN
 */
export async function maskedLosses(
  model: Model,
  groups: readonly Maskable[],
  cases: readonly (readonly Masked[])[],
  gradients: Gradients,
  options: MaskedLossOptions,
): Promise<Float64Array> {
  const copy = await canonical(model);
  const measure = buildLoss(copy, gradients);
  const masks = insertMasks(copy.graph, groups);
  const session = await openSession(copy, options);
  try {
    return await meansOf(measure(session), gradients, cases, masks, options);
  } finally {
    await session.release();
  }
}

async function meansOf(
  loss: Loss,
  gradients: Gradients,
  cases: readonly (readonly Masked[])[],
  masks: Masks,
  { images = IMAGES, signal, progress }: MaskedLossOptions,
): Promise<Float64Array> {
  const sums = new Float64Array(cases.length);
  let seen = 0;
  for await (const image of gradients.images()) {
    for (const [k, masked] of cases.entries()) {
      signal.throwIfAborted();
      sums[k]! += await loss({ ...image.feeds, ...maskFeeds(masks, masked) }, image, seen);
      progress((seen + (k + 1) / cases.length) / images);
    }
    if (++seen === images) break;
  }
  return sums.map((sum) => sum / Math.max(1, seen));
}

/** Write what is measured behind the graph; its outputs are that alone. */
function buildLoss({ graph, ...rest }: Model, { from, source }: Gradients) {
  if (from === 'cotangents') {
    graph.outputs = cotangentTargets(graph, 'layers');
    return changeOf;
  }
  const built = source.build(new GraphBuilder(graph), { graph, ...rest });
  graph.outputs = [built.seeds[0]!.value];
  return (session: Session) => lossOf(session, built);
}

const lossOf =
  (session: Session, built: BuiltSource): Loss =>
  async (feeds, image, index) => {
    const name = built.seeds[0]!.value.name;
    let sum = 0;
    for (const extra of built.runs(image, index))
      sum += Number((await session.run({ ...feeds, ...extra }, [name]))[name]!.data[0]);
    return sum;
  };

/** The first run on an image is that of the whole model. */
function changeOf(session: Session): Loss {
  let of = -1;
  let whole: Float32Array[] = [];
  return async (feeds, _, index) => {
    const answers = Object.values(await session.run(feeds)).map((y) => y.data as Float32Array);
    if (of !== index) [of, whole] = [index, answers];
    return answers.reduce((sum, y, i) => sum + distance(y, whole[i]!), 0);
  };
}

function distance(a: Float32Array, b: Float32Array): number {
  let [error, energy] = [0, 0];
  for (const [i, y] of b.entries()) {
    error += (a[i]! - y) ** 2;
    energy += y ** 2;
  }
  return energy > 0 ? error / energy : error;
}

/** Every tensor whose channels a node sums away is multiplied by an input, before anybody uses it. */
function insertMasks(graph: Graph, groups: readonly Maskable[]): Masks {
  const g = new GraphBuilder(graph);
  const masks = new Map<string, Mask>();
  for (const { value, axis } of groups.flatMap((group) =>
    group.activations.filter((a) => a.mixed),
  )) {
    const key = keyOf(value.name, axis);
    const at = graph.nodes.findIndex((n) => n.outputs.some((y) => y?.name === value.name));
    if (masks.has(key) || at < 0) continue;
    const made = graph.nodes[at]!.outputs.find((y) => y?.name === value.name)!;
    const shape = shapeKnown(made)!;
    const size = Number(shape[axis]);
    const dims = shape.map((_, i) => (i === axis ? size : 1));
    const input = new Value(g.name(`${value.name}/mask`), {
      ...{ kind: 'tensor', dtype: 'float32', shape: dims },
    });
    const before = new Value(g.name(`${value.name}/unmasked`), made.type);
    const maker = graph.nodes[at]!;
    maker.outputs = maker.outputs.map((y) => (y === made ? before : y));
    const product = { name: input.name, op: 'Mul', domain: '', attributes: {} };
    graph.nodes.splice(at + 1, 0, { ...product, inputs: [before, input], outputs: [made] });
    graph.inputs.push(input);
    masks.set(key, { input, size });
  }
  return masks;
}

function maskFeeds(masks: Masks, all: readonly Masked[]): Record<string, Feed> {
  const feeds = new Map<string, { dims: readonly number[]; data: Float32Array }>();
  for (const { input, size } of masks.values())
    feeds.set(input.name, {
      dims: shapeKnown(input) as number[],
      data: new Float32Array(size).fill(1),
    });
  for (const { group, channels } of all)
    for (const { value, axis, indices } of group.activations) {
      const mask = masks.get(keyOf(value.name, axis));
      if (mask === undefined) continue;
      const { data } = feeds.get(mask.input.name)!;
      for (const c of channels) for (const place of indices[c]!) data[place] = 0;
    }
  return Object.fromEntries(feeds);
}
