/** @file In which order residual branches go: the least loss per MAC first, measured. */

import { countMacs } from '../../onnx/cost.ts';
import type { Model } from '../../onnx/graph.ts';
import { randomInputs } from '../../runtime/random-inputs.ts';
import { cotangents } from '../criteria/sources/cotangents.ts';
import { type Gradients, gradientsOf } from '../gradients.ts';
import { maskedLosses } from '../masked-loss.ts';
import { isProtected } from '../protect.ts';
import type { PruneContext, PruneSettings } from '../settings.ts';
import { type Block, findBlocks, withoutBlocks } from './blocks.ts';

/** Blocks that are measured again, beside those that are gone, before the next one goes. */
const CONFIRMED = 4;
/** Calibration images that a block's loss is measured on. */
const IMAGES = 8;

/** The order in which blocks go, found step by step. */
export class BlockPath {
  readonly model: Model;
  readonly gradientsFrom: Gradients['from'];
  readonly #all: readonly Block[];
  readonly #gradients: Gradients;
  readonly #ctx: PruneContext;
  readonly #gone: Block[] = [];
  /** Loss of the whole model with one block masked, by the block's sum. */
  #losses: ReadonlyMap<string, number> | undefined;

  constructor(model: Model, settings: PruneSettings, ctx: PruneContext) {
    this.model = model;
    this.#ctx = ctx;
    const named = isProtected(settings.protect, model);
    this.#all = findBlocks(model).filter(({ sum }) => {
      const add = model.graph.nodes.find((n) => n.outputs[0]?.name === sum)!;
      return !named(add, add.outputs[0]!);
    });
    this.#gradients = measuredBy(model, settings, ctx);
    this.gradientsFrom = this.#gradients.from;
  }

  get blocks(): readonly Block[] {
    return this.#gone;
  }

  /** @returns the model without the blocks that are gone, one more than before; undefined: none is left */
  async next(): Promise<Model | undefined> {
    const now = withoutBlocks(this.model, this.#gone);
    const cost = countMacs(now);
    const savings = new Map(
      this.#all.flatMap((block) => {
        const saved = cost - countMacs(withoutBlocks(this.model, [...this.#gone, block]));
        return saved > 0 && !this.#gone.includes(block) ? [[block, saved] as const] : [];
      }),
    );
    if (savings.size === 0) return undefined;
    const first = await this.#alone();
    const price = (block: Block, loss: number) => loss / savings.get(block)!;
    const candidates = [...savings.keys()]
      .sort((a, b) => price(a, first.get(a.sum)!) - price(b, first.get(b.sum)!))
      .slice(0, CONFIRMED);
    const rises = await this.#rises(candidates);
    const [best] = candidates.sort(
      (a, b) => price(a, rises.get(a.sum)!) - price(b, rises.get(b.sum)!),
    );
    this.#gone.push(best!);
    this.#ctx.progress(Math.min(1, this.#gone.length / this.#all.length), 'dropping blocks');
    return withoutBlocks(this.model, this.#gone);
  }

  async #alone(): Promise<ReadonlyMap<string, number>> {
    this.#losses ??= await this.#rises(this.#all);
    return this.#losses;
  }

  /** What each block adds to the loss beside those that are gone: at least nothing. */
  async #rises(candidates: readonly Block[]): Promise<Map<string, number>> {
    const mask = (block: Block) => ({ group: block, channels: [0] });
    const gone = this.#gone.map(mask);
    const cases = [[], gone, ...candidates.map((block) => [...gone, mask(block)])];
    const { threads, provider, signal } = this.#ctx;
    const options = { threads, provider, signal, images: IMAGES, progress: () => {} };
    const losses = await maskedLosses(this.model, this.#all, cases, this.#gradients, options);
    return new Map(
      candidates.map(({ sum }, i) => [sum, Math.max(0, losses[2 + i]! - losses[1]!)] as const),
    );
  }
}

/** Without images the change of the outputs on one random input is what is measured. */
function measuredBy(model: Model, settings: PruneSettings, ctx: PruneContext): Gradients {
  const { samples, binding, threads, provider, seed } = ctx;
  const subject = { model, predictor: model, samples, binding };
  if (samples.length > 0)
    return gradientsOf(settings.gradientsFrom, subject, { threads, provider, seed });
  async function* images() {
    yield { feeds: randomInputs(model, seed) };
  }
  return { from: 'cotangents', source: cotangents({ seed }), images };
}
