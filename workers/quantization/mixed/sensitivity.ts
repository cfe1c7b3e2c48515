/** @file What the rounding of each tensor alone does to the outputs. */

import { setImmediate } from 'node:timers/promises';
import type { Model } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { PartNoise } from '../../runtime/part-noise.ts';
import { cutsOf } from '../../runtime/parts.ts';
import { type Feed, freeResults, openSession, type Session } from '../../runtime/session.ts';
import type { Site, Switchable } from './switchable.ts';

export interface Sensitivity extends Site {
  /** Noise over signal of the outputs' parts, averaged over the parts: powers of tensors add up. */
  readonly harm: number;
  /** The same in dB, signal over noise, worst part first in mind: −10·log₁₀(harm). */
  readonly sqnrDb: number;
}

export interface SensitivityOptions {
  readonly threads: number;
  readonly provider: string;
  readonly signal: AbortSignal;
  /** @param done sites, over all images, of `of` */
  readonly onSite: (done: number, of: number) => void;
}

/**
 * Each site rounded by itself, all others left in float: one session, a run per site and image.
 *
 * @param float the model that `model` was made from: says what the parts of the outputs are
 * @param images of `feeds`
 * @returns the most harmful first
 */
export async function sensitivityOf(
  float: Model,
  { model, sites, feeds: switches }: Switchable,
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  images: number,
  options: SensitivityOptions,
): Promise<Sensitivity[]> {
  const session = await openSession(model, options);
  const index = new GraphIndex(float.graph);
  const cuts = float.graph.outputs.map((v) => [v.name, cutsOf(float.graph, v, index)] as const);
  const noise = sites.map(() => new Map(cuts.map(([name, c]) => [name, new PartNoise(c)])));
  try {
    let done = 0;
    for await (const feed of feeds) {
      const wanted = await session.run({ ...feed, ...switches(new Set()) });
      for (const [i, site] of sites.entries()) {
        options.signal.throwIfAborted();
        await compare(session, { ...feed, ...switches(new Set([site])) }, wanted, noise[i]!);
        options.onSite(++done, images * sites.length);
        await setImmediate();
      }
      freeResults(wanted);
    }
  } finally {
    await session.release();
  }
  return sites
    .map((site, i) => ({ ...site, ...harmOf(noise[i]!) }))
    .sort((a, b) => b.harm - a.harm);
}

async function compare(
  session: Session,
  feed: Readonly<Record<string, Feed>>,
  wanted: Awaited<ReturnType<Session['run']>>,
  noise: ReadonlyMap<string, PartNoise>,
): Promise<void> {
  const found = await session.run(feed);
  for (const [name, sums] of noise) sums.add(wanted[name]!, found[name]!);
  freeResults(found);
}

function harmOf(noise: ReadonlyMap<string, PartNoise>): { harm: number; sqnrDb: number } {
  const db = [...noise.values()].flatMap((sums) => sums.db());
  const harm = db.length === 0 ? 0 : db.reduce((sum, d) => sum + 10 ** (-d / 10), 0) / db.length;
  return { harm, sqnrDb: harm === 0 ? 100 : -10 * Math.log10(harm) };
}
