/** @file Places of one tensor that somebody wants to go: which channels of which groups that is, or why it cannot be. */

import { type Model, type Node, nodeLabel } from '../../onnx/graph.ts';
import type { Atom, Cause } from './atoms.ts';
import { Coupling, type Slot } from './couple.ts';
import { groupsOf } from './groups.ts';
import { placesOn } from './places.ts';

export interface Request {
  /** Name of an activation or a constant. */
  readonly tensor: string;
  readonly axis: number;
  /** Places along the axis. */
  readonly indices: readonly number[];
}

/** Per group id the channels that stay: what `cut` takes. */
export interface Removable {
  readonly kept: ReadonlyMap<string, readonly number[]>;
}

/** Why not, naming the tensor and the cause. */
export interface NotRemovable {
  readonly reason: string;
  readonly node: Node | undefined;
}

/** Exactly the places asked for must go: a request that would take others with it is refused. */
export function removable(model: Model, request: Request): Removable | NotRemovable {
  const coupling = new Coupling(model);
  const slot = coupling.slots.find(({ value }) => value.name === request.tensor);
  const wrong = slot ? misfit(slot, request) : `unknown: the model has no such tensor`;
  if (!slot || wrong !== undefined) return refusal(request, wrong!, undefined);
  const leaves = leavesOf(coupling, slot, request);
  if (!(leaves instanceof Set)) return refusal(request, leaves.reason, leaves.node);
  const kept = new Map<string, readonly number[]>();
  for (const { group, atoms } of groupsOf(coupling)) {
    const left = [...atoms.keys()].filter((channel) => !leaves.has(atoms[channel]!));
    if (left.length === 0)
      return refusal(request, `empty: nothing of group '${group.id}' would be left`, undefined);
    if (left.length < atoms.length) kept.set(group.id, left);
    for (const atom of atoms) leaves.delete(atom);
  }
  if (leaves.size > 0)
    return refusal(request, 'no layer with weights makes these channels', undefined);
  return { kept };
}

const refusal = ({ tensor, axis }: Request, why: string, node: Node | undefined): NotRemovable => ({
  reason: `'${tensor}', axis ${axis}: ${why}${node ? ` (${node.op} '${nodeLabel(node)}')` : ''}`,
  node,
});

/** What is wrong with a request by itself. */
function misfit({ axes }: Slot, { axis, indices }: Request): string | undefined {
  const atoms = axes[axis];
  if (atoms === undefined) return `there is no such axis: it has ${axes.length}`;
  const beyond = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= atoms.length);
  if (beyond !== undefined) return `index ${beyond} is out of range: it has ${atoms.length} places`;
  if (new Set(indices).size === atoms.length) return 'empty: nothing of the axis would be left';
  return undefined;
}

/** Leaves that own just the places asked for. A place of a Concat is a place of its piece. */
function leavesOf(coupling: Coupling, slot: Slot, { axis, indices }: Request): Set<Atom> | Cause {
  const wanted = new Set(indices);
  const found = new Set<Atom>();
  const missing = new Set(wanted);
  const places = placesOn(coupling, slot, axis);
  for (const [leaf, own] of places) {
    if (!own.every((place) => wanted.has(place)) || own.every((place) => !missing.has(place)))
      continue;
    found.add(leaf);
    for (const place of own) missing.delete(place);
  }
  const [first] = missing;
  if (first === undefined) return found;
  return (
    leavesOfPieces(coupling, slot, axis, indices) ??
    whyNot(coupling, slot.axes[axis]![first]!, places)
  );
}

function leavesOfPieces(
  coupling: Coupling,
  { value }: Slot,
  axis: number,
  indices: readonly number[],
): Set<Atom> | undefined {
  const maker = coupling.model.graph.nodes.find((node) => node.outputs.includes(value));
  if (maker?.op !== 'Concat') return undefined;
  const found = new Set<Atom>();
  let start = 0;
  for (const index of maker.inputs.keys()) {
    const slot = coupling.slotAt(maker, index)!;
    const size = slot.axes[axis]!.length;
    const own = indices.map((i) => i - start).filter((i) => i >= 0 && i < size);
    start += size;
    const leaves = leavesOf(coupling, slot, { tensor: slot.value.name, axis, indices: own });
    if (!(leaves instanceof Set)) return undefined;
    for (const leaf of leaves) found.add(leaf);
  }
  return found;
}

function whyNot(
  { atoms }: Coupling,
  atom: Atom,
  places: ReadonlyMap<Atom, readonly number[]>,
): Cause {
  const causes = atoms.causes(atom);
  const reasons = [...new Set(causes.map(({ reason }) => reason))];
  const node = causes.find((cause) => cause.node)?.node;
  const ways = atoms.leaves(atom).map((leaf) => `[${places.get(leaf)!.join(', ')}]`);
  if (ways.length > 0)
    reasons.push(
      `shape: conv groups or a reshape let it go only together with ${ways.join(' or ')}`,
    );
  return { reason: reasons.join('; '), node };
}
