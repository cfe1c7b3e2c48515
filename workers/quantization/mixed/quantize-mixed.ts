/** @file Precision `mixed`: 8 bits everywhere, then what harms most taken out of them until the accuracy budget holds. */

import { cloneModel } from '../../onnx/clone.ts';
import type { Model } from '../../onnx/graph.ts';
import type { Budget } from '../../runtime/context.ts';
import { portion } from '../../runtime/portion.ts';
import { detailsOf, type QuantizeDetails } from '../details.ts';
import { fill } from '../fill.ts';
import { PROFILES } from '../profiles.ts';
import type { QuantizeOptions } from '../settings.ts';
import { type Survey, survey } from '../survey.ts';
import { type WeightCache, type Written, writeSurvey } from '../write-survey.ts';
import { type Flip, flipsOf, reliefOf } from './relieve.ts';
import { leastThatHolds, type Standing, type Trial } from './search.ts';
import { type Sensitivity, sensitivityOf } from './sensitivity.ts';
import { switchable } from './switchable.ts';

/** Images on which each tensor is rounded by itself. */
const IMAGES = 4;

/** What is asked where the job sets no limit of accuracy. */
export const DEFAULT_BUDGET: Budget = { minAgreement: 0.99 };

export interface MixedOptions extends QuantizeOptions {
  readonly budget: Budget;
  /** Accuracy of a model on images that decide, kept out of calibration. */
  readonly judge: (model: Model) => Promise<Standing>;
}

export interface MixedDetails extends Omit<QuantizeDetails, 'precision'> {
  readonly precision: 'mixed';
  readonly mixed: {
    readonly budget: Budget;
    /** Whether the budget holds on the images that decide, for the model that was made. */
    readonly held: boolean;
    /** What left 8 bits, the best bargain first. */
    readonly flips: readonly Flip[];
    /** Every way that was tried, from all in 8 bits on. */
    readonly pareto: readonly Trial[];
    /** Seconds that the sensitivities of all tensors took. */
    readonly sensitivitySeconds: number;
  };
  /** What each tensor's and each weight's rounding alone does to the outputs, the most harmful first. */
  readonly sensitivities: readonly Sensitivity[];
}

/** Quantize `model` in place. */
export async function quantizeMixed(model: Model, options: MixedOptions): Promise<MixedDetails> {
  const found = await survey(model, portion(options, 0, 0.5));
  const float = cloneModel(model);
  const cache: WeightCache = new Map();
  const plain = writeSurvey(cloneModel(float), found, options, undefined, cache);
  const started = performance.now();
  const sensitivities = await measure(model, found, plain, options);
  const sensitivitySeconds = (performance.now() - started) / 1000;
  const { relief } = PROFILES[options.profile];
  const placement = { ...plain.placement, products: productsIn(float, plain) };
  const flips = flipsOf(float.graph, placement, sensitivities, found.macs, { relief });
  const { trials, kept } = await search(float, found, flips, cache, options);
  const written = writeSurvey(model, found, options, reliefOf(flips, kept.flips), cache);
  const filled = await fill(float, model, written.inserted, options);
  const details = await detailsOf(model, found, written, filled, options);
  const final = { ...(await options.judge(model)) };
  const held = holds(final, options.budget);
  return {
    ...details,
    precision: 'mixed',
    mixed: {
      budget: options.budget,
      held,
      flips: flips.slice(0, kept.flips),
      pareto: trials,
      sensitivitySeconds,
    },
    sensitivities,
    warnings: [...details.warnings, ...(held ? [] : [notHeld(final, options.budget)])],
  };
}

/** The same products as nodes of the float model: a written graph has nodes of its own. */
function productsIn({ graph }: Model, { placement }: Written) {
  const names = new Set(placement.products.map((n) => n.outputs[0]!.name));
  return graph.nodes.filter((n) => names.has(n.outputs[0]?.name ?? ''));
}

/** @param float what was surveyed: its nodes are those that read the found tensors */
function measure(float: Model, found: Survey, plain: Written, options: MixedOptions) {
  const { placement, quantizers, inserted } = plain;
  const wanted = new Set(placement.tensors.map(({ value }) => value.name));
  const tensors = found.tensors.filter(({ value }) => wanted.has(value.name));
  const switches = switchable(float, tensors, quantizers, inserted.weights);
  const images = Math.min(IMAGES, options.images);
  const { progress } = portion(options, 0.5, 0.7);
  return sensitivityOf(float, switches, options.feeds(0, images), images, {
    ...options,
    onSite: (done, of) => progress(done / of, `rounding each tensor by itself: ${done} of ${of}`),
  });
}

function search(
  float: Model,
  found: Survey,
  flips: readonly Flip[],
  cache: WeightCache,
  options: MixedOptions,
) {
  let tried = 0;
  return leastThatHolds(flips.length, async (n) => {
    options.signal.throwIfAborted();
    options.progress(0.7 + 0.2 * (1 - 0.8 ** tried++), `${n} tensors out of 8 bits`);
    const trial = cloneModel(float);
    const { convMacs } = writeSurvey(trial, found, options, reliefOf(flips, n), cache);
    const standing = await options.judge(trial);
    const held = holds(standing, options.budget);
    return { flips: n, convMacs8bit: convMacs, ...standing, held };
  });
}

/** A limit on the drop is met by images without labels where nothing but agreement can be asked. */
export function holds({ agreement, drop }: Standing, { maxDrop, minAgreement }: Budget): boolean {
  if (minAgreement !== undefined && agreement < minAgreement) return false;
  if (maxDrop === undefined) return true;
  return drop === null ? agreement >= 1 - maxDrop : drop <= maxDrop;
}

function notHeld({ agreement, drop }: Standing, budget: Budget): string {
  const limits = Object.entries(budget).map(([name, limit]) => `${name} ${limit}`);
  const lost = drop === null ? '' : `, drop ${drop.toFixed(4)}`;
  return `The accuracy budget (${limits.join(', ')}) does not hold on the tune images: agreement ${agreement.toFixed(4)}${lost}.`;
}
