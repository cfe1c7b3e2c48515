/** @file How each granularity prunes, one line each. */

import type { Model } from '../../onnx/graph.ts';
import type { PruneContext, Pruned, PruneSettings } from '../settings.ts';
import { sparsifyModel } from '../sparsity/sparsify.ts';
import { pruneChannels } from './channels.ts';
import { dropBlocks } from './drop-blocks.ts';
import type { GranularityName } from './names.ts';

export interface Granularity {
  readonly summary: string;
  /** What becomes less: time on the target and the file, or the packed file alone. */
  readonly changes: { readonly latency: boolean; readonly fileBytes: boolean };
  prune(model: Model, settings: PruneSettings, ctx: PruneContext): Promise<Pruned>;
}

const LESS = { latency: true, fileBytes: true };
const ZEROS = { latency: false, fileBytes: false };

export const GRANULARITIES = {
  channel: { summary: 'Channels of layers.', changes: LESS, prune: pruneChannels },
  head: { summary: 'Whole attention heads.', changes: LESS, prune: pruneChannels },
  block: { summary: 'Whole residual branches.', changes: LESS, prune: dropBlocks },
  unstructured: {
    summary: 'Single weights become zero; shapes stay.',
    changes: ZEROS,
    prune: (model, settings, ctx) => sparsifyModel(model, 'unstructured', settings, ctx),
  },
  '2:4': {
    summary: 'Of every four neighbouring weights two become zero; shapes stay.',
    changes: ZEROS,
    prune: (model, settings, ctx) => sparsifyModel(model, '2:4', settings, ctx),
  },
} as const satisfies Record<GranularityName, Granularity>;
