/** @file What a model costs while channels go, without cutting it. */

import type { Model, Value } from '../../onnx/graph.ts';
import type { Group } from '../coupling/groups.ts';
import { COSTS, type Factor, lengthOf, type Resource } from './cost-terms.ts';

export type { Resource } from './cost-terms.ts';

/** An axis of a tensor, and the places of it that went. */
interface Axis {
  readonly length: number;
  readonly gone: Set<number>;
  /** Costs that it is a factor of. */
  readonly products: Product[];
}

/** rate · Π lengths. */
interface Product {
  readonly rate: number;
  readonly axes: readonly Axis[];
}

/** Places that go, or would go. */
type Lost = ReadonlyMap<Axis, ReadonlySet<number>>;

/**
 * MACs of a layer are its output's size times what each output sums over, parameters and bytes go with the sizes of constants: all are
 * products of lengths of axes, and a group says which places of which axes each of its channels owns. A place that several channels
 * own goes with the first of them.
 */
export class CostModel {
  /** Of the model as it came. */
  readonly total: number;
  readonly #fixed: number;
  readonly #products: readonly Product[];
  readonly #axes = new Map<Value, Map<number, Axis>>();
  /** Per group the axes that count, and the places of each of its channels there. */
  readonly #places: ReadonlyMap<Group, ReadonlyMap<Axis, readonly (readonly number[])[]>>;

  /** @param fileBytes size of the model's file; only the resource `bytes` looks at it */
  constructor(model: Model, groups: readonly Group[], resource: Resource, fileBytes: number) {
    const { total, terms } = COSTS[resource](model, fileBytes);
    this.total = total;
    this.#products = terms.map(({ rate, factors }) => {
      const product = { rate, axes: factors.map((f) => this.#axisOf(f)) };
      for (const axis of new Set(product.axes)) axis.products.push(product);
      return product;
    });
    this.#fixed = total - sum(this.#products.map((p) => costOf(p)));
    this.#places = new Map(groups.map((group) => [group, this.#placesOf(group)]));
  }

  /** Cost of the model as it stands. */
  get cost(): number {
    return this.#fixed + sum(this.#products.map((p) => costOf(p)));
  }

  /** What would be saved if these channels of a group went: it never rises as others go. */
  saving(group: Group, channels: readonly number[]): number {
    const lost = this.#lostTo(group, channels);
    const products = new Set([...lost.keys()].flatMap((axis) => axis.products));
    return sum([...products].map((p) => costOf(p) - costOf(p, lost)));
  }

  remove(group: Group, channels: readonly number[]): void {
    for (const [axis, places] of this.#lostTo(group, channels))
      for (const place of places) axis.gone.add(place);
  }

  /** Places that go with these channels and are still there. */
  #lostTo(group: Group, channels: readonly number[]): Lost {
    return new Map(
      [...this.#places.get(group)!].map(([axis, indices]) => {
        const own = channels.flatMap((c) => indices[c]!.filter((place) => !axis.gone.has(place)));
        return [axis, new Set(own)];
      }),
    );
  }

  #placesOf({ activations, parameters }: Group) {
    return new Map(
      [...activations, ...parameters].flatMap(({ value, axis, indices }) => {
        const known = this.#axes.get(value)?.get(axis);
        return known ? [[known, indices] as const] : [];
      }),
    );
  }

  #axisOf(factor: Factor): Axis {
    const axes = this.#axes.get(factor.value) ?? new Map<number, Axis>();
    this.#axes.set(factor.value, axes);
    const axis = axes.get(factor.axis) ?? {
      length: lengthOf(factor),
      gone: new Set(),
      products: [],
    };
    axes.set(factor.axis, axis);
    return axis;
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

const costOf = ({ rate, axes }: Product, lost?: Lost): number =>
  axes.reduce(
    (cost, axis) => cost * (axis.length - axis.gone.size - (lost?.get(axis)?.size ?? 0)),
    rate,
  );
