/** @file What a model takes in time while channels go: the sum of its layers' tables. */

import type { Group } from '../coupling/groups.ts';
import { type LayerTimes, timeAt } from '../targets/layer-times.ts';
import { type AxisOf, AxisPlaces, goneFrom, type Lost } from './axis-places.ts';

export class TimeModel {
  /** Of the model as it came, ms. */
  readonly total: number;
  readonly #layers: readonly LayerTimes[];
  readonly #places = new AxisPlaces<LayerTimes>();

  constructor(layers: readonly LayerTimes[]) {
    this.#layers = layers;
    for (const layer of layers)
      for (const axis of [layer.output, layer.input])
        if (axis) this.#places.of(axis).uses.push(layer);
    this.total = this.cost;
  }

  /** ms of the layers as they stand. */
  get cost(): number {
    return this.#layers.reduce((sum, layer) => sum + this.#timeOf(layer), 0);
  }

  /** ms that would be saved if these channels of a group went. */
  saving(group: Group, channels: readonly number[]): number {
    const lost = this.#places.lostTo(group, channels);
    const layers = [...this.#places.usesOf(lost)];
    return layers.reduce((s, layer) => s + this.#timeOf(layer) - this.#timeOf(layer, lost), 0);
  }

  remove(group: Group, channels: readonly number[]): void {
    this.#places.remove(group, channels);
  }

  #timeOf(layer: LayerTimes, lost?: Lost<LayerTimes>): number {
    const left = (axis: AxisOf | undefined, whole: number) =>
      axis ? whole - goneFrom(this.#places.of(axis), lost) : whole;
    return timeAt(
      layer,
      left(layer.output, layer.outputs.at(-1)!),
      left(layer.input, layer.inputs.at(-1)!),
    );
  }
}
