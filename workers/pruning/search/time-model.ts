/** @file What a model takes in time while channels go: the sum of its layers' tables. */

import type { Value } from '../../onnx/graph.ts';
import type { Group } from '../coupling/groups.ts';
import { type LayerTimes, timeAt, type WidthAxis } from '../targets/layer-times.ts';

interface Width {
  readonly gone: Set<number>;
  readonly layers: LayerTimes[];
}

/** Places that go, or would go. */
type Lost = ReadonlyMap<Width, ReadonlySet<number>>;

export class TimeModel {
  /** Of the model as it came, ms. */
  readonly total: number;
  readonly #layers: readonly LayerTimes[];
  readonly #widths = new Map<Value, Map<number, Width>>();
  readonly #places: ReadonlyMap<Group, ReadonlyMap<Width, readonly (readonly number[])[]>>;

  constructor(layers: readonly LayerTimes[], groups: readonly Group[]) {
    this.#layers = layers;
    for (const layer of layers)
      for (const axis of [layer.output, layer.input])
        if (axis) this.#widthOf(axis).layers.push(layer);
    this.#places = new Map(groups.map((group) => [group, this.#placesOf(group)]));
    this.total = this.cost;
  }

  /** ms of the layers as they stand. */
  get cost(): number {
    return this.#layers.reduce((sum, layer) => sum + this.#timeOf(layer), 0);
  }

  /** ms that would be saved if these channels of a group went. */
  saving(group: Group, channels: readonly number[]): number {
    const lost = this.#lostTo(group, channels);
    const layers = new Set([...lost.keys()].flatMap((width) => width.layers));
    return [...layers].reduce((s, layer) => s + this.#timeOf(layer) - this.#timeOf(layer, lost), 0);
  }

  remove(group: Group, channels: readonly number[]): void {
    for (const [width, places] of this.#lostTo(group, channels))
      for (const place of places) width.gone.add(place);
  }

  #timeOf(layer: LayerTimes, lost?: Lost): number {
    const left = (axis: WidthAxis | undefined, whole: number) => {
      const width = axis && this.#widthOf(axis);
      return width ? whole - width.gone.size - (lost?.get(width)?.size ?? 0) : whole;
    };
    return timeAt(
      layer,
      left(layer.output, layer.outputs.at(-1)!),
      left(layer.input, layer.inputs.at(-1)!),
    );
  }

  #lostTo(group: Group, channels: readonly number[]): Lost {
    return new Map(
      [...this.#places.get(group)!].map(([width, indices]) => {
        const own = channels.flatMap((c) => indices[c]!.filter((place) => !width.gone.has(place)));
        return [width, new Set(own)];
      }),
    );
  }

  #placesOf({ activations, parameters }: Group) {
    return new Map(
      [...activations, ...parameters].flatMap(({ value, axis, indices }) => {
        const known = this.#widths.get(value)?.get(axis);
        return known ? [[known, indices] as const] : [];
      }),
    );
  }

  #widthOf({ value, axis }: WidthAxis): Width {
    const axes = this.#widths.get(value) ?? new Map<number, Width>();
    this.#widths.set(value, axes);
    const width = axes.get(axis) ?? { gone: new Set<number>(), layers: [] };
    axes.set(axis, width);
    return width;
  }
}
