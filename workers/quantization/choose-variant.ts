/** @file Several ways to fill the same constants: the one that leaves the outputs closest to the float model's stays. */

import type { Model, Value } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { PartNoise } from '../runtime/part-noise.ts';
import { type Cuts, cutsOf } from '../runtime/parts.ts';
import { type Feed, freeResults, openSession, type Session } from '../runtime/session.ts';

/** What constants of the model hold. */
export type Variant = ReadonlyMap<Value, Tensor>;

export interface Choice<Name extends string> {
  readonly kept: Name;
  /** Mean signal to noise of the outputs' parts, dB, with each variant. */
  readonly sqnrDb: Readonly<Record<Name, number>>;
}

type Feeds = () => AsyncIterable<Readonly<Record<string, Feed>>>;

export interface ChooseOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
}

/**
 * @param quantized left with the variant that won
 * @param variants at equal noise the first stays
 * @param feeds images set aside, anew each time it is called
 */
export async function chooseVariant<Name extends string>(
  float: Model,
  quantized: Model,
  variants: Readonly<Record<Name, Variant>>,
  feeds: Feeds,
  options: ChooseOptions,
): Promise<Choice<Name>> {
  const names = Object.keys(variants) as Name[];
  const made = (name: Name) => holding(quantized, variants[name]);
  const choice = await closest(float, names, made, feeds, options);
  holding(quantized, variants[choice.kept]);
  return choice;
}

/** As `chooseVariant`, of models that differ in more than constants; `float` is none of them. */
export function chooseModel<Name extends string>(
  float: Model,
  models: Readonly<Record<Name, Model>>,
  feeds: Feeds,
  options: ChooseOptions,
): Promise<Choice<Name>> {
  const names = Object.keys(models) as Name[];
  return closest(float, names, (name) => models[name], feeds, options);
}

/** One session beside the float model's at a time: memory does not grow with the number of models. */
async function closest<Name extends string>(
  float: Model,
  names: readonly Name[],
  made: (name: Name) => Model,
  feeds: Feeds,
  options: ChooseOptions,
): Promise<Choice<Name>> {
  const truth = await openSession(float, options);
  const found: [Name, number][] = [];
  try {
    for (const name of names) {
      const session = await openSession(made(name), options);
      const noise = partNoise(float);
      try {
        await measure(truth, session, noise, feeds(), options.signal);
      } finally {
        await session.release();
      }
      found.push([name, meanDb(noise)]);
    }
  } finally {
    await truth.release();
  }
  const [kept] = found.reduce((best, f) => (f[1] > best[1] ? f : best));
  return { kept, sqnrDb: Object.fromEntries(found) as Record<Name, number> };
}

/** How far a model is off, by output. */
type Noise = ReadonlyMap<string, PartNoise>;

function holding(model: Model, variant: Variant): Model {
  for (const [value, tensor] of variant) value.constant = tensor;
  return model;
}

function partNoise({ graph }: Model): Noise {
  const index = new GraphIndex(graph);
  const cuts = graph.outputs.map((v): [string, Cuts] => [v.name, cutsOf(graph, v, index)]);
  return new Map(cuts.map(([name, c]) => [name, new PartNoise(c)]));
}

async function measure(
  truth: Session,
  session: Session,
  noise: Noise,
  feeds: ReturnType<Feeds>,
  signal: AbortSignal,
): Promise<void> {
  for await (const feed of feeds) {
    signal.throwIfAborted();
    const wanted = await truth.run(feed);
    const found = await session.run(feed);
    for (const [name, sums] of noise) sums.add(wanted[name]!, found[name]!);
    freeResults(found);
    freeResults(wanted);
  }
}

function meanDb(noise: Noise): number {
  const db = [...noise.values()].flatMap((sums) => sums.db());
  return db.length === 0 ? 0 : db.reduce((a, b) => a + b, 0) / db.length;
}
