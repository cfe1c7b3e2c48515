/** @file What a model costs while channels go, without cutting it. */

import type { Model } from '../../onnx/graph.ts';
import type { Group } from '../coupling/groups.ts';
import { AxisPlaces, goneFrom, type Lost, type Shrinking } from './axis-places.ts';
import { COSTS, lengthOf, type Resource } from './cost-terms.ts';

export type { Resource } from './cost-terms.ts';

/** rate · Π lengths. */
interface Product {
  readonly rate: number;
  readonly factors: readonly { readonly axis: Shrinking<Product>; readonly length: number }[];
}

/**
 * MACs of a layer are its output's size times what each output sums over, parameters and bytes go with the sizes of constants: all are
 * products of lengths of axes, and a group says which places of which axes each of its channels owns.
 */
export class CostModel {
  /** Of the model as it came. */
  readonly total: number;
  readonly #fixed: number;
  readonly #products: readonly Product[];
  readonly #places = new AxisPlaces<Product>();

  /** @param fileBytes size of the model's file; only the resource `bytes` looks at it */
  constructor(model: Model, resource: Resource, fileBytes: number) {
    const { total, terms } = COSTS[resource](model, fileBytes);
    this.total = total;
    this.#products = terms.map(({ rate, factors }) => {
      const product: Product = {
        rate,
        factors: factors.map((f) => ({ axis: this.#places.of(f), length: lengthOf(f) })),
      };
      for (const axis of new Set(product.factors.map((f) => f.axis))) axis.uses.push(product);
      return product;
    });
    this.#fixed = total - sum(this.#products.map((p) => costOf(p)));
  }

  /** Cost of the model as it stands. */
  get cost(): number {
    return this.#fixed + sum(this.#products.map((p) => costOf(p)));
  }

  /** What would be saved if these channels of a group went: it never rises as others go. */
  saving(group: Group, channels: readonly number[]): number {
    const lost = this.#places.lostTo(group, channels);
    return sum([...this.#places.usesOf(lost)].map((p) => costOf(p) - costOf(p, lost)));
  }

  remove(group: Group, channels: readonly number[]): void {
    this.#places.remove(group, channels);
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

const costOf = ({ rate, factors }: Product, lost?: Lost<Product>): number =>
  factors.reduce((cost, { axis, length }) => cost * (length - goneFrom(axis, lost)), rate);
