/** @file Corrected biases or plain ones: whichever leaves the outputs closer to the float model's on images set aside. */

import type { Model } from '../onnx/graph.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { PartNoise } from '../runtime/part-noise.ts';
import { type Cuts, cutsOf } from '../runtime/parts.ts';
import { type Feed, freeResults, openSession, type Session } from '../runtime/session.ts';
import type { BiasChoice } from './insert-qdq.ts';

export interface BiasDecision {
  readonly corrected: boolean;
  /** Mean signal to noise of the outputs' parts, dB, with either kind of bias. */
  readonly sqnrDb: { readonly plain: number; readonly corrected: number };
}

export interface DecideOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
}

/**
 * Means over whole images are mostly means over background: what is right there on average may be wrong on objects. So the
 * correction is kept only where it shows.
 *
 * @param quantized left with the biases that won
 */
export async function decideBiases(
  float: Model,
  quantized: Model,
  biases: readonly BiasChoice[],
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  options: DecideOptions,
): Promise<BiasDecision | undefined> {
  if (biases.length === 0) return undefined;
  const sessions = {
    float: await openSession(float, options),
    corrected: await openSession(withBiases(quantized, biases, 'corrected'), options),
    plain: await openSession(withBiases(quantized, biases, 'plain'), options),
  };
  try {
    const sqnrDb = await measure(sessions, outputCuts(float), feeds, options.signal);
    const corrected = sqnrDb.corrected > sqnrDb.plain;
    withBiases(quantized, biases, corrected ? 'corrected' : 'plain');
    return { corrected, sqnrDb };
  } finally {
    for (const session of Object.values(sessions)) await session.release();
  }
}

type Kind = 'plain' | 'corrected';

function withBiases(model: Model, biases: readonly BiasChoice[], kind: Kind): Model {
  for (const choice of biases) choice.value.constant = choice[kind];
  return model;
}

const outputCuts = ({ graph }: Model): Map<string, Cuts> => {
  const index = new GraphIndex(graph);
  return new Map(graph.outputs.map((v) => [v.name, cutsOf(graph, v, index)]));
};

async function measure(
  sessions: Readonly<Record<'float' | Kind, Session>>,
  cuts: ReadonlyMap<string, Cuts>,
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  signal: AbortSignal,
): Promise<Record<Kind, number>> {
  const noise = {
    plain: new Map([...cuts].map(([name, c]) => [name, new PartNoise(c)])),
    corrected: new Map([...cuts].map(([name, c]) => [name, new PartNoise(c)])),
  };
  for await (const feed of feeds) {
    signal.throwIfAborted();
    const truth = await sessions.float.run(feed);
    for (const kind of ['plain', 'corrected'] as const) {
      const found = await sessions[kind].run(feed);
      for (const [name, sums] of noise[kind]) sums.add(truth[name]!, found[name]!);
      freeResults(found);
    }
    freeResults(truth);
  }
  const mean = (kind: Kind) => {
    const db = [...noise[kind].values()].flatMap((sums) => sums.db());
    return db.length === 0 ? 0 : db.reduce((a, b) => a + b, 0) / db.length;
  };
  return { plain: mean('plain'), corrected: mean('corrected') };
}
