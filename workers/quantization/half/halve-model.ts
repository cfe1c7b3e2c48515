/** @file Precisions fp16 and bf16: the whole model in 16-bit floats, but for what would overflow there. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { cloneModel } from '../../onnx/clone.ts';
import { dtypeKnown, type Model, type Node, nodeLabel, type Value } from '../../onnx/graph.ts';
import { inferTypes } from '../../runtime/infer-types.ts';
import { type Feed, freeResults, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import { chooseVariant } from '../choose-variant.ts';
import type { QuantizeOptions } from '../settings.ts';
import { floatOnly, type HalfType, LARGEST, toHalf } from './to-half.ts';

/** Images on which magnitudes are looked at. */
const IMAGES = 16;

/** Magnitudes are kept this far below the largest float16: other images may have larger ones. */
const MARGIN = 4;

/** Precisions of 16-bit floats. */
export const HALVES = { fp16: 'float16', bf16: 'bfloat16' } as const satisfies Record<
  string,
  HalfType
>;
export type HalfName = keyof typeof HALVES;

export type HalfOptions = Pick<
  QuantizeOptions,
  'feeds' | 'images' | 'threads' | 'provider' | 'signal' | 'progress'
> & { readonly precision: HalfName };

export interface HalfDetails {
  readonly precision: HalfName;
  readonly images: number;
  /** Nodes that compute in 16-bit floats. */
  readonly halfNodes: number;
  /** Nodes that stay in float32, by name, and why. */
  readonly islands: readonly { readonly node: string; readonly reason: string }[];
  /** Mean signal to noise of the outputs' parts, dB. */
  readonly sqnrDb: number;
  readonly warnings: readonly string[];
}

/** Inputs and outputs stay float32. */
export async function halveModel(model: Model, options: HalfOptions): Promise<HalfDetails> {
  await inferTypes(model);
  const float = cloneModel(model);
  const type = HALVES[options.precision];
  options.progress(0, 'looking at magnitudes');
  const largest = await magnitudes(model, options.feeds(0, IMAGES), options);
  const islands = new Map(
    model.graph.nodes.flatMap((node) => {
      const reason =
        floatOnly(node, type) ?? (type === 'float16' ? tooLarge(node, largest) : undefined);
      return reason ? [[node, reason] as const] : [];
    }),
  );
  const halfNodes = toHalf(model.graph, new Set(islands.keys()), type);
  options.progress(0.8, 'comparing with float32');
  const sqnrDb = await compare(float, model, options);
  return {
    precision: options.precision,
    images: Math.min(IMAGES, options.images),
    halfNodes,
    islands: [...islands].map(([node, reason]) => ({ node: nodeLabel(node), reason })),
    sqnrDb,
    warnings: [],
  };
}

/** @throws PRECISION_CANNOT_RUN the runtime has no kernels for what was made */
async function compare(float: Model, model: Model, options: HalfOptions): Promise<number> {
  const half = { half: new Map() };
  const last = () => options.feeds(-IMAGES);
  try {
    const { sqnrDb } = await chooseVariant(float, model, half, last, options);
    return sqnrDb.half;
  } catch (error) {
    if (!(error instanceof ServiceError && error.code === 'MODEL_CANNOT_RUN')) throw error;
    const { precision, provider } = options;
    throw new ServiceError('PRECISION_CANNOT_RUN', { precision, provider, why: error.message });
  }
}

function tooLarge(node: Node, largest: ReadonlyMap<string, number>): string | undefined {
  const at = [...node.inputs, ...node.outputs].find(
    (v) => (largest.get(v?.name ?? '') ?? 0) > LARGEST / MARGIN,
  );
  return at && `'${at.name}' reaches ${largest.get(at.name)!.toPrecision(3)}`;
}

/** The largest magnitude of every float32 tensor that a node makes or that is fed. */
async function magnitudes(
  model: Model,
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  { threads, provider, signal, progress }: HalfOptions,
): Promise<Map<string, number>> {
  const made = model.graph.nodes.flatMap((n) => n.outputs).filter((v) => v !== undefined);
  const tapped = (made as Value[]).filter((v) => dtypeKnown(v) === 'float32');
  const session = await openSession(withOutputs(model, tapped), { threads, provider });
  const largest = new Map<string, number>();
  try {
    let image = 0;
    for await (const feed of feeds) {
      signal.throwIfAborted();
      const results = await session.run(feed);
      for (const [name, { data }] of [...Object.entries(feed), ...Object.entries(results)])
        if (data instanceof Float32Array)
          largest.set(name, Math.max(largest.get(name) ?? 0, absMax(data)));
      freeResults(results);
      progress((0.8 * ++image) / IMAGES, `magnitudes on image ${image}`);
    }
  } finally {
    await session.release();
  }
  return largest;
}

function absMax(data: Float32Array): number {
  let most = 0;
  for (const x of data) if (Math.abs(x) > most) most = Math.abs(x);
  return most;
}
