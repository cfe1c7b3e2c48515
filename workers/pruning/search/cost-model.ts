/** @file What a model costs while channels go, without cutting it. */

import { countMacs, countParams, macsOf } from '../../onnx/cost.ts';
import type { Model, Value } from '../../onnx/graph.ts';
import { weightIndex } from '../../onnx/trained.ts';
import type { AxisSlice, Group } from '../coupling/groups.ts';

export type Resource = 'macs' | 'params' | 'bytes';

const BYTES = 4;

/** A constant that groups cut: its cost is proportional to each of its axes. */
interface Entry {
  readonly dims: number[];
  /** Per element of the constant. */
  readonly perElement: number;
}

/**
 * MACs of a layer are its output positions times the elements of its weight, parameters are elements, bytes four times that: all fall
 * with the lengths of constants' axes. What no constant decides (products of two activations) stays as it is.
 */
export class CostModel {
  readonly total: number;
  readonly #fixed: number;
  readonly #entries = new Map<Value, Entry>();

  constructor(model: Model, groups: readonly Group[], resource: Resource, fileBytes: number) {
    const positions = weightPositions(model);
    const slices = new Set(groups.flatMap((g) => g.parameters.map((p) => p.value)));
    let variable = 0;
    for (const value of slices) {
      const tensor = value.constant;
      if (tensor === undefined) continue;
      const perElement =
        resource === 'macs' ? (positions.get(value) ?? 0) : resource === 'params' ? 1 : BYTES;
      this.#entries.set(value, { dims: [...tensor.dims], perElement });
      variable += perElement * tensor.size;
    }
    this.total =
      resource === 'macs'
        ? countMacs(model)
        : resource === 'params'
          ? countParams(model)
          : fileBytes;
    this.#fixed = this.total - variable;
  }

  /** Cost of the model as it stands. */
  get cost(): number {
    let sum = this.#fixed;
    for (const { dims, perElement } of this.#entries.values())
      sum += perElement * dims.reduce((n, d) => n * d, 1);
    return sum;
  }

  /** What would be saved if these channels of a group went. */
  saving(group: Group, channels: readonly number[]): number {
    let saved = 0;
    for (const [value, cuts] of cutsOf(group, channels)) {
      const entry = this.#entries.get(value);
      if (!entry) continue;
      const before = entry.dims.reduce((n, d) => n * d, 1);
      const after = entry.dims.reduce((n, d, axis) => n * (d - (cuts.get(axis) ?? 0)), 1);
      saved += entry.perElement * (before - after);
    }
    return saved;
  }

  remove(group: Group, channels: readonly number[]): void {
    for (const [value, cuts] of cutsOf(group, channels)) {
      const entry = this.#entries.get(value);
      if (entry) for (const [axis, lost] of cuts) entry.dims[axis]! -= lost;
    }
  }
}

/** Places that go, per constant and axis. */
function cutsOf(group: Group, channels: readonly number[]): Map<Value, Map<number, number>> {
  const found = new Map<Value, Map<number, number>>();
  for (const { value, axis, indices } of group.parameters as readonly AxisSlice[]) {
    const axes = found.get(value) ?? new Map<number, number>();
    const lost = channels.reduce((n, c) => n + (indices[c]?.length ?? 0), 0);
    axes.set(axis, (axes.get(axis) ?? 0) + lost);
    found.set(value, axes);
  }
  return found;
}

/** MACs per element of each weight, over all layers that use it. */
function weightPositions(model: Model): Map<Value, number> {
  const found = new Map<Value, number>();
  for (const node of model.graph.nodes) {
    const at = weightIndex(node);
    const weight = at === undefined ? undefined : node.inputs[at];
    if (!weight?.constant) continue;
    const positions = macsOf(node, model.graph) / weight.constant.size;
    found.set(weight, (found.get(weight) ?? 0) + positions);
  }
  return found;
}
