/** @file What the stage says of a quantized model. */

import type { Model } from '../onnx/graph.ts';
import type { RoundedLayer } from './adaround/round-model.ts';
import { reportTensor, type TensorReport } from './choose-range.ts';
import type { Choice } from './choose-variant.ts';
import type { Filled } from './fill.ts';
import { makeIntegerIo, type Port } from './integer-io.ts';
import { PRECISIONS, type PrecisionName } from './precisions.ts';
import type { ProfileName } from './profiles.ts';
import { productRuns, type Run } from './runtime-graph.ts';
import type { QuantizeOptions } from './settings.ts';
import type { Survey } from './survey.ts';
import type { Written } from './write-survey.ts';

/** Tensors whose channels were evened out, and whether images set aside are closer to float with that. */
export type Equalization = Choice<'plain' | 'equalized'> & { readonly tensors: readonly string[] };

export interface QuantizeDetails {
  readonly precision: PrecisionName;
  readonly profile: ProfileName;
  readonly images: number;
  /** Share of the Convs' MACs whose inputs and weights are integers of the precision's width. */
  readonly convMacs8bit: number;
  readonly convs: number;
  /** Convs that the runtime runs in integers, counted in its own optimised graph. */
  readonly fusedConvs: number;
  readonly reduceRange: boolean;
  /** What images set aside say of plain, corrected and measured biases and of learned rounding; null: there was nothing to choose from. */
  readonly choice: Choice<string> | null;
  /** Null: weights were rounded to nearest. */
  readonly rounding: readonly RoundedLayer[] | null;
  /** Null: no factor could move from one layer to the next. */
  readonly equalization: Equalization | null;
  /** Products that were left in float, and results that were, with the reason. */
  readonly float: readonly {
    readonly tensor: string;
    readonly op: string;
    readonly reason: string;
  }[];
  /** Every product as the runtime on this machine runs it, with the reason where that is in float. */
  readonly runs: readonly Run[];
  /** Worst first. */
  readonly tensors: readonly TensorReport[];
  /** Weights → channels whose scale was raised so that their bias fits 32 bits. */
  readonly raisedChannels: Readonly<Record<string, readonly number[]>>;
  /** What became of inputs and outputs; null: they stay float. */
  readonly io: readonly Port[] | null;
  readonly warnings: readonly string[];
}

/** @param model quantized; its ports become integers here where that is asked for */
export async function detailsOf(
  model: Model,
  found: Survey,
  { placement, quantizers, inserted, convMacs }: Written,
  { choice, rounding }: Filled,
  options: QuantizeOptions,
  equalization: Equalization | null = null,
): Promise<QuantizeDetails> {
  options.progress(0.98, "looking at the runtime's own graph");
  const runs = await productRuns(model, placement, options);
  const io = options.io === 'quantized' ? makeIntegerIo(model) : null;
  const { raisedChannels } = inserted;
  return {
    precision: options.precision,
    profile: options.profile,
    images: options.images,
    convMacs8bit: convMacs,
    convs: model.graph.nodes.filter((n) => n.op === 'Conv').length,
    fusedConvs: runs.filter(({ op, as }) => op === 'Conv' && as !== null).length,
    reduceRange: found.reduceRange,
    choice,
    rounding,
    equalization,
    float: placement.float,
    runs,
    tensors: [...quantizers]
      .map(([name, quantizer]) => reportTensor(name, { ...found.chosen.get(name)!, quantizer }))
      .sort((a, b) => a.sqnrDb - b.sqnrDb),
    raisedChannels,
    io,
    warnings: [
      ...found.warnings,
      ...raisedWarnings(raisedChannels, options),
      ...ioWarnings(io ?? []),
    ],
  };
}

/** 16-bit weights have bits to spare: nothing is lost there. */
const raisedWarnings = (
  raised: QuantizeDetails['raisedChannels'],
  { precision }: QuantizeOptions,
): string[] =>
  PRECISIONS[precision].weights === 'int16'
    ? []
    : Object.entries(raised).map(
        ([weight, channels]) =>
          `The scale of ${channels.length} nearly empty channel(s) of '${weight}' was raised so that their bias fits 32 bits.`,
      );

const ioWarnings = (ports: readonly Port[]): string[] =>
  ports.flatMap((p) => ('float' in p ? [`'${p.name}' stays float32: ${p.float}.`] : []));
