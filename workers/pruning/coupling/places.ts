/** @file Which places of which tensors each leaf owns. */

import type { Value } from '../../onnx/graph.ts';
import type { Atom } from './atoms.ts';
import { isFixed } from './axes.ts';
import type { Coupling, Slot } from './couple.ts';

/** One axis of one tensor, and the places of each leaf on it. */
export interface OwnedAxis {
  readonly slot: Slot;
  readonly axis: number;
  readonly places: ReadonlyMap<Atom, readonly number[]>;
}

/** An axis of a tensor, and per leaf asked for its places. */
export interface OwnedSlice {
  readonly slot: Slot;
  readonly value: Value;
  readonly axis: number;
  readonly indices: readonly (readonly number[])[];
}

export class OwnedPlaces {
  readonly #axes: readonly OwnedAxis[];
  /** Per leaf the axes that it owns places on, as indices of `#axes`, in graph order. */
  readonly #axesOfLeaf = new Map<Atom, number[]>();

  constructor(coupling: Coupling) {
    this.#axes = coupling.slots.flatMap((slot) =>
      slot.axes.flatMap((_, axis) => {
        const places = placesOn(coupling, slot, axis);
        return places.size > 0 ? [{ slot, axis, places }] : [];
      }),
    );
    for (const [i, { places }] of this.#axes.entries())
      for (const leaf of places.keys()) {
        const own = this.#axesOfLeaf.get(leaf);
        if (own) own.push(i);
        else this.#axesOfLeaf.set(leaf, [i]);
      }
  }

  /** Leaves that own equally many places on the same axes, in order of first appearance. */
  alike(): Atom[][] {
    const groups = new Map<string, Atom[]>();
    for (const [leaf, axes] of this.#axesOfLeaf) {
      const key = axes.map((i) => `${i}*${this.#axes[i]!.places.get(leaf)!.length}`).join();
      const own = groups.get(key);
      if (own) own.push(leaf);
      else groups.set(key, [leaf]);
    }
    return [...groups.values()];
  }

  /** Every axis that leaves of one group own places on. */
  slicesOf(leaves: readonly Atom[]): OwnedSlice[] {
    return this.#axesOfLeaf.get(leaves[0]!)!.map((i) => {
      const { slot, axis, places } = this.#axes[i]!;
      return { slot, value: slot.value, axis, indices: leaves.map((leaf) => places.get(leaf)!) };
    });
  }
}

/** Per leaf its places on one axis of a tensor. */
export function placesOn(coupling: Coupling, slot: Slot, axis: number): Map<Atom, number[]> {
  const places = new Map<Atom, number[]>();
  const atoms = slot.axes[axis]!;
  if (isFixed(atoms)) return places;
  for (const [place, atom] of atoms.entries())
    for (const leaf of coupling.atoms.leaves(atom)) {
      const own = places.get(leaf);
      if (own) own.push(place);
      else places.set(leaf, [place]);
    }
  return places;
}
