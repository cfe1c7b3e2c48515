/** @file The promise of quantization-aware training: the file computes what was trained. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { cloneModel } from '../../onnx/clone.ts';
import type { Model } from '../../onnx/graph.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { floatsOf, numbersOf } from '../../onnx/values.ts';
import { type Feed, freeResults, type HostTensor, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import { canonical } from '../../training/canonical.ts';
import { writeOutFakes } from './fake-node.ts';
import type { FloatForm } from './float-form.ts';
import { type Inserted, insertFakes } from './insert-fakes.ts';
import type { ActivationSite, Sites } from './sites.ts';

export interface ExportCheck {
  /** Largest difference of any rounded tensor, in steps of its scale. */
  readonly steps: number;
  readonly tensor: string;
  /** Rounded tensors compared, and images. */
  readonly tensors: number;
  readonly images: number;
}

/** Allowed: a number on the border of two codes may fall to either side. */
const STEPS = 1;
/** Rounding of the division by the scale. */
const SLACK = 1e-3;

/**
 * Run the fake-quantized graph and the quantized model on the same images, node by node as the files say, and compare every
 * rounded tensor. Biases are compared as stored: training has them in float, half a step of a 32-bit code away.
 *
 * @param form what `quantized` was written from
 * @throws INTERNAL a tensor differs by more than one step
 */
export async function checkExport(
  quantized: Model,
  form: FloatForm,
  sites: Sites,
  feeds: AsyncIterable<Readonly<Record<string, Feed>>>,
  options: { readonly threads: number; readonly provider: string; readonly signal: AbortSignal },
): Promise<ExportCheck> {
  const { model, rounded } = await fakeModel(form, sites);
  const tensors = sites.activations.map((site) => tensorOf(site, rounded));
  const how = {
    threads: options.threads,
    provider: options.provider,
    optimize: 'disabled',
  } as const;
  const names = (side: 'trained' | 'written') => tensors.map((t) => t[side]);
  const trained = await openSession(withOutputs(model, names('trained')), how);
  const written = await openSession(withOutputs(quantized, names('written')), how);
  let worst = { steps: 0, tensor: '' };
  let images = 0;
  try {
    for await (const feed of feeds) {
      options.signal.throwIfAborted();
      const results = [await trained.run(feed), await written.run(feed)] as const;
      for (const t of tensors) {
        const steps = stepsApart(results, t);
        if (steps > worst.steps) worst = { steps, tensor: t.name };
      }
      for (const r of results) freeResults(r);
      images++;
    }
  } finally {
    await trained.release();
    await written.release();
  }
  if (worst.steps <= STEPS + SLACK) return { ...worst, tensors: tensors.length, images };
  throw new ServiceError('INTERNAL', {
    what: `the quantized file is not what was trained: '${worst.tensor}' differs by ${worst.steps.toFixed(1)} steps`,
  });
}

interface Rounded {
  readonly name: string;
  readonly scale: number;
  /** Its name in either graph. */
  readonly trained: string;
  readonly written: string;
}

const tensorOf = (site: ActivationSite, names: Inserted['rounded']): Rounded => ({
  name: site.tensor,
  scale: floatsOf(site.scale.constant!)[0]!,
  trained: names.get(site)!,
  written: site.rounded.name,
});

type Results = Readonly<Record<string, HostTensor>>;

/** Largest difference, in steps. */
function stepsApart([a, b]: readonly [Results, Results], t: Rounded): number {
  const [x, y] = [a[t.trained]!.data, b[t.written]!.data] as [Float32Array, Float32Array];
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const d = Math.abs(x[i]! - y[i]!);
    if (!Number.isFinite(d)) return Number.POSITIVE_INFINITY;
    if (d > most) most = d;
  }
  return most / t.scale;
}

/** The float form at the batch of the file, fakes in it written out, biases as stored. */
async function fakeModel(form: FloatForm, sites: Sites) {
  const model = cloneModel(form.model);
  const initializers = new Map(model.graph.initializers.map((v) => [v.name, v]));
  for (const site of sites.weights) {
    const name = form.names.get(site)!.bias;
    const { value, scale } = site.bias ?? {};
    if (name === undefined || !value || !scale) continue;
    const scales = floatsOf(scale.constant!);
    const stored = numbersOf(value.constant!).map((q, c) => q * scales[c]!);
    initializers.get(name)!.constant = Tensor.float32(value.constant!.dims, stored);
  }
  const plain = await canonical(model);
  const g = new GraphBuilder(plain.graph);
  const { rounded } = insertFakes(g, sites, form.names, false);
  writeOutFakes(plain.graph, g);
  return { model: plain, rounded };
}
