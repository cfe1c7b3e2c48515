/** @file Which places of which axes each channel of a group owns, and which of them are gone. */

import type { Value } from '../../onnx/graph.ts';
import type { Group } from '../coupling/groups.ts';

/** An axis of a tensor. */
export interface AxisOf {
  readonly value: Value;
  readonly axis: number;
}

/** An axis whose places go; `Use` is what counts its length. */
export interface Shrinking<Use> {
  readonly gone: Set<number>;
  readonly uses: Use[];
}

/** Places that go, or would go. */
export type Lost<Use> = ReadonlyMap<Shrinking<Use>, ReadonlySet<number>>;

/** A place that several channels own goes with the first of them. */
export class AxisPlaces<Use> {
  readonly #axes = new Map<Value, Map<number, Shrinking<Use>>>();
  readonly #places = new Map<Group, ReadonlyMap<Shrinking<Use>, readonly (readonly number[])[]>>();

  /** The axis, which counts from now on. */
  of({ value, axis }: AxisOf): Shrinking<Use> {
    const axes = this.#axes.get(value) ?? new Map<number, Shrinking<Use>>();
    this.#axes.set(value, axes);
    const found = axes.get(axis) ?? { gone: new Set<number>(), uses: [] };
    axes.set(axis, found);
    return found;
  }

  /** Places of the group's channels that go with them and are still there. Axes that count are known by now. */
  lostTo(group: Group, channels: readonly number[]): Lost<Use> {
    return new Map(
      [...this.#placesOf(group)].map(([axis, indices]) => {
        const own = channels.flatMap((c) => indices[c]!.filter((place) => !axis.gone.has(place)));
        return [axis, new Set(own)];
      }),
    );
  }

  /** What counts the length of an axis that loses places. */
  usesOf(lost: Lost<Use>): Set<Use> {
    return new Set([...lost.keys()].flatMap((axis) => axis.uses));
  }

  remove(group: Group, channels: readonly number[]): void {
    for (const [axis, places] of this.lostTo(group, channels))
      for (const place of places) axis.gone.add(place);
  }

  #placesOf(group: Group) {
    const known = this.#places.get(group);
    if (known) return known;
    const found = new Map(
      [...group.activations, ...group.parameters].flatMap(({ value, axis, indices }) => {
        const counted = this.#axes.get(value)?.get(axis);
        return counted ? [[counted, indices] as const] : [];
      }),
    );
    this.#places.set(group, found);
    return found;
  }
}

/** How many places of an axis are gone, or would be. */
export const goneFrom = <Use>(axis: Shrinking<Use>, lost?: Lost<Use>): number =>
  axis.gone.size + (lost?.get(axis)?.size ?? 0);
