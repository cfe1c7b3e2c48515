/** @file What `prune` could cut out of a model, and what it could not and why. */

import { ServiceError } from '../../src/contract/errors.ts';
import { type Model, nodeLabel } from '../onnx/graph.ts';
import { channelCost } from '../pruning/coupling/channel-cost.ts';
import { findGroups, type Group } from '../pruning/coupling/groups.ts';
import { prepareForPruning } from '../pruning/coupling/prepare.ts';
import { quantizedForm } from '../quantization/eligibility.ts';

/** Channels that stay or go one by one, through every tensor that they run through. */
export interface GroupInfo {
  readonly id: string;
  readonly channels: number;
  /** What goes with one channel. */
  readonly perChannel: { readonly params: number; readonly macs: number };
  /** Nodes whose output channels these are, and nodes that take them in. */
  readonly producers: readonly string[];
  readonly consumers: readonly string[];
  /** Constants and activations that are cut, with the axis. */
  readonly tensors: readonly { readonly name: string; readonly axis: number }[];
  /** The couplings in words. */
  readonly why: readonly string[];
}

/** Output channels of a layer that no cut can touch. */
export interface RefusedInfo {
  readonly tensor: string;
  readonly axis: number;
  /** Node and op that need them; null: the model's own inputs or outputs do. */
  readonly node: string | null;
  readonly op: string | null;
  readonly reason: string;
}

export type PruningInfo =
  | { readonly groups: readonly GroupInfo[]; readonly refused: readonly RefusedInfo[] }
  /** Why the model cannot be pruned as it is. */
  | { readonly why: string };

/** Find the groups of a model as read; the model itself is left alone. */
export async function inspectGroups(model: Model): Promise<PruningInfo> {
  const quantized = quantizedForm(model.graph);
  if (quantized) return { why: `the model is quantized already (${quantized})` };
  try {
    const prepared = await prepareForPruning(model);
    const { groups, refused } = findGroups(prepared);
    return {
      groups: groups.map((group) => describe(prepared, group)),
      refused: refused.map(({ value, axis, node, reason }) => ({
        tensor: value.name,
        axis,
        node: node ? nodeLabel(node) : null,
        op: node?.op ?? null,
        reason,
      })),
    };
  } catch (error) {
    if (error instanceof ServiceError) return { why: error.message };
    throw error;
  }
}

function describe(model: Model, group: Group): GroupInfo {
  const { params, macs } = channelCost(model, group);
  return {
    id: group.id,
    channels: group.size,
    perChannel: { params, macs },
    producers: group.producers.map(({ node }) => nodeLabel(node)),
    consumers: group.consumers.map(({ node }) => nodeLabel(node)),
    tensors: [...group.parameters, ...group.activations].map(({ value, axis }) => {
      return { name: value.name, axis };
    }),
    why: group.why,
  };
}
