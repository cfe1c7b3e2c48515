/** @file Which places of every axis are left when some atoms go. */

import type { Tensor } from '../../onnx/tensor.ts';
import type { Atom, Atoms, Axis } from '../coupling/atoms.ts';
import type { Slot } from '../coupling/couple.ts';
import { select } from './select.ts';

export class KeptPlaces {
  readonly #atoms: Atoms;
  readonly #removed: ReadonlySet<Atom>;
  readonly #known = new Map<Axis, readonly number[]>();
  readonly #tensors = new Map<Slot, Tensor>();

  constructor(atoms: Atoms, removed: ReadonlySet<Atom>) {
    this.#atoms = atoms;
    this.#removed = removed;
  }

  /** Places along an axis that stay, in order. */
  of(axis: Axis): readonly number[] {
    const known = this.#known.get(axis);
    if (known) return known;
    const kept = [...axis.keys()].filter((i) => !this.#goes(axis[i]!));
    this.#known.set(axis, kept);
    return kept;
  }

  /** What is left of a constant; the same tensor for all uses of a weight. */
  tensorOf(slot: Slot): Tensor {
    const known = this.#tensors.get(slot);
    if (known) return known;
    const tensor = select(
      slot.value.constant!,
      slot.axes.map((axis) => this.of(axis)),
    );
    this.#tensors.set(slot, tensor);
    return tensor;
  }

  #goes(atom: Atom): boolean {
    return this.#atoms.leaves(atom).some((leaf) => this.#removed.has(leaf));
  }
}
