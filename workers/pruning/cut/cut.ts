/** @file Cutting channels out of a model: weights, biases, norms, constants and the constants that state sizes. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { cloneModel } from '../../onnx/clone.ts';
import { type Model, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import type { Atom } from '../coupling/atoms.ts';
import { Coupling } from '../coupling/couple.ts';
import { type AtomGroup, type Group, groupsOf } from '../coupling/groups.ts';
import { NodeEdit } from './edit.ts';
import { EDITS } from './edits.ts';
import { KeptPlaces } from './kept-places.ts';
import { type ConstantUse, writeConstants } from './write-constants.ts';

/** One group as the report tells of it. */
export interface CutGroup {
  /** Every float activation of the uncut model that lost channels: multiplied by 0 there, it gives the cut model's results. */
  readonly tensors: readonly {
    readonly name: string;
    readonly axis: number;
    /** Places before. */
    readonly size: number;
    /** Places that are left, rising. */
    readonly kept: readonly number[];
  }[];
  readonly reason: string;
}

/** Per group id the channels 0 … size − 1 that stay; groups that are not named stay whole. */
export type KeptChannels = ReadonlyMap<string, readonly number[]>;

/**
 * A copy of the model without the channels that are not kept. Names, metadata and opset stay.
 *
 * @param groups of this model, from `findGroups`
 * @throws INTERNAL a group is not the model's, or nothing of some axis would be left
 */
export function cut(
  model: Model,
  groups: readonly Group[],
  kept: KeptChannels,
): { readonly model: Model; readonly report: readonly CutGroup[] } {
  const coupling = new Coupling(model);
  const removed = removedAtoms(groupsOf(coupling), groups, kept);
  const places = new KeptPlaces(coupling.atoms, removed);
  refuseEmpty(coupling, places);
  const copy = cloneModel(model);
  const uses = model.graph.nodes.flatMap((node, i) =>
    editNode(node, copy.graph.nodes[i]!, coupling, places),
  );
  writeConstants(copy.graph, uses);
  for (const [i, node] of model.graph.nodes.entries())
    resize(node, copy.graph.nodes[i]!, coupling, places);
  return { model: copy, report: reportOf(coupling, groups, kept, places) };
}

function removedAtoms(
  known: readonly AtomGroup[],
  groups: readonly Group[],
  kept: KeptChannels,
): Set<Atom> {
  const byId = new Map(known.map((k) => [k.group.id, k]));
  const given = new Map(groups.map((group) => [group.id, group]));
  return new Set(
    [...kept].flatMap(([id, channels]) => {
      const own = byId.get(id);
      if (!own || given.get(id)?.size !== own.group.size)
        throw new ServiceError('INTERNAL', {
          what: `cut: the model has no group '${id}' of that size`,
        });
      const stays = new Set(channels);
      return own.atoms.filter((_, channel) => !stays.has(channel));
    }),
  );
}

function refuseEmpty(coupling: Coupling, places: KeptPlaces): void {
  for (const { value, axes } of coupling.slots)
    for (const [axis, atoms] of axes.entries())
      if (atoms.length > 0 && places.of(atoms).length === 0)
        throw new ServiceError('INTERNAL', {
          what: `cut: nothing of axis ${axis} of '${value.name}' would be left`,
        });
}

/** Edit the copy of a node, and say what its constants hold from now on. */
function editNode(node: Node, copy: Node, coupling: Coupling, places: KeptPlaces): ConstantUse[] {
  const edit = new NodeEdit(node, coupling, places);
  if (node.domain === '') EDITS[node.op]?.(edit);
  for (const [name, attribute] of edit.attributes) {
    if (attribute) copy.attributes[name] = attribute;
    else delete copy.attributes[name];
  }
  for (const [index, tensor] of edit.added) copy.inputs[index] = new Value('', undefined, tensor);
  return copy.inputs.flatMap((value, index) => {
    if (!value?.constant) return [];
    const slot = coupling.slotAt(node, index);
    const tensor = edit.inputs.get(index) ?? (slot ? places.tensorOf(slot) : value.constant);
    return [{ node: copy, index, value, tensor }];
  });
}

function resize(node: Node, copy: Node, coupling: Coupling, places: KeptPlaces): void {
  for (const [i, y] of node.outputs.entries()) {
    const value = copy.outputs[i];
    const shape = y && shapeKnown(y);
    if (!y || value?.type?.kind !== 'tensor' || !shape) continue;
    const sizes = coupling.axesOf(y).map((axis) => places.of(axis).length);
    value.type = { ...value.type, shape: sizes };
  }
}

function reportOf(
  coupling: Coupling,
  groups: readonly Group[],
  kept: KeptChannels,
  places: KeptPlaces,
): CutGroup[] {
  return groups.flatMap((group) => {
    const channels = kept.get(group.id);
    if (!channels || channels.length === group.size) return [];
    const tensors = group.activations.map(({ value, axis }) => {
      const atoms = coupling.axesOf(value)[axis]!;
      return { name: value.name, axis, size: atoms.length, kept: places.of(atoms) };
    });
    return [{ tensors, reason: reasonOf(group, channels.length) }];
  });
}

const reasonOf = ({ id, size, why }: Group, left: number) =>
  `${left} of ${size} channels of '${id}' stay: ${why.join('; ')}`;
