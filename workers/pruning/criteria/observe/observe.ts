/** @file One pass over calibration images for everything that criteria want to see. */

import { backward } from '../../../autodiff/backward.ts';
import { GraphBuilder } from '../../../onnx/builder.ts';
import type { Model, Value } from '../../../onnx/graph.ts';
import { axisOf, shapeOf } from '../../../onnx/static-shapes.ts';
import type { OpenSizes } from '../../../runtime/random-inputs.ts';
import { openSession } from '../../../runtime/session.ts';
import { canonical } from '../../../training/canonical.ts';
import type { BuiltSource, Calibration, GradientSource } from '../sources/source.ts';
import { REDUCTIONS, type Tap } from './reductions.ts';

export interface ObserveOptions {
  readonly images: AsyncIterable<Calibration>;
  /** Needed by taps of gradients. */
  readonly source?: GradientSource | undefined;
  /** Sizes of axes that the model leaves open. */
  readonly open?: OpenSizes;
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  onImage(done: number): void;
}

/** The numbers of a tap in one run. */
export type Seen = (tap: Tap) => Float32Array;

/**
 * Run every image once (once per draw of the source) through one graph that computes all taps, each once however often it is asked
 * for, and show the numbers of every run to `see`. Memory: the graph's own.
 *
 * @param taps of values of `model`, which stays as it is
 * @throws OP_HAS_NO_GRADIENT · OP_NOT_DIFFERENTIABLE · SHAPE_UNKNOWN · MODEL_CANNOT_RUN
 */
export async function observe(
  model: Model,
  taps: readonly Tap[],
  options: ObserveOptions,
  see: (seen: Seen, image: number) => void,
): Promise<void> {
  const copy = await canonical(model, options.open);
  const { outputs, source } = buildTaps(copy, taps, options.source);
  const names = [...new Set(outputs.values())];
  const { threads, provider, signal } = options;
  const session = await openSession(copy, { threads, provider });
  try {
    let done = 0;
    for await (const image of options.images) {
      for (const extra of source?.runs(image, done) ?? [{}]) {
        signal.throwIfAborted();
        const results = await session.run({ ...image.feeds, ...extra }, names);
        see((tap) => results[outputs.get(keyOf(tap))!]!.data as Float32Array, done);
      }
      options.onImage(++done);
    }
  } finally {
    await session.release();
  }
}

const keyOf = ({ reduce, value, axis }: Tap) => `${reduce} ${axis} ${value.name}`;

/** Write all taps into the graph; its outputs are their numbers. @returns key of a tap → name of its output */
function buildTaps(model: Model, taps: readonly Tap[], from: GradientSource | undefined) {
  const { graph } = model;
  const g = new GraphBuilder(graph);
  const values = valuesByName(model);
  const mine = (tap: Tap): Value => {
    const value = values.get(tap.value.name);
    if (value === undefined)
      throw new TypeError(`internal: '${tap.value.name}' is no value of the canonical graph`);
    return value;
  };
  const wrt = [...new Set(taps.filter((t) => REDUCTIONS[t.reduce].gradient).map(mine))];
  const source = wrt.length > 0 ? built(from, g, model) : undefined;
  const gradients = source ? backward(graph, source.seeds, wrt, { g, stop: source.stop }) : [];
  const gradientOf = new Map(wrt.map((value, i) => [value, gradients[i]!]));
  const made = new Map<string, Value>();
  for (const tap of taps) {
    if (made.has(keyOf(tap))) continue;
    const value = mine(tap);
    const axis = axisOf(tap.axis, shapeOf(value).length);
    made.set(keyOf(tap), REDUCTIONS[tap.reduce].build(g, value, axis, gradientOf.get(value)));
  }
  graph.outputs = [...new Set(made.values())];
  return { outputs: new Map([...made].map(([key, value]) => [key, value.name])), source };
}

function built(from: GradientSource | undefined, g: GraphBuilder, model: Model): BuiltSource {
  if (from === undefined) throw new TypeError('internal: taps of gradients need a source');
  return from.build(g, model);
}

function valuesByName({ graph }: Model): Map<string, Value> {
  const made = graph.nodes.flatMap((n) => n.outputs);
  const all = [...graph.inputs, ...graph.initializers, ...made];
  return new Map(all.flatMap((v) => (v ? [[v.name, v] as const] : [])));
}
