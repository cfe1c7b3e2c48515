/** @file The axes of every tensor of a graph, as atoms: one walk over the nodes. */

import { subgraphsOf } from '../../onnx/attributes.ts';
import { dtypeKnown, type Model, type Node, type Value } from '../../onnx/graph.ts';
import { isStatic, shapeOf } from '../../onnx/static-shapes.ts';
import { valuesUsedIn } from '../../onnx/uses.ts';
import { Atoms, type Cause } from './atoms.ts';
import { fixed, merge, split, tie } from './axes.ts';
import { couplingRule } from './registry.ts';
import type { Axes, CouplingContext } from './rule.ts';
import { unknown } from './rules/unknown.ts';

/** A tensor with axes: an activation, a weight, or a constant at one of its uses. */
export interface Slot {
  readonly value: Value;
  /** Where the constant is used; undefined: everywhere. */
  readonly use: { readonly node: Node; readonly index: number } | undefined;
  readonly axes: Axes;
}

export class Coupling {
  readonly atoms = new Atoms();
  readonly model: Model;
  readonly #slots: Slot[] = [];
  readonly #byValue = new Map<Value, Slot>();
  readonly #byUse = new Map<Node, Slot[]>();
  readonly #mixed = new Map<Value, Set<number>>();

  constructor(model: Model) {
    this.model = model;
    for (const input of model.graph.inputs) {
      if (input.constant) continue;
      const [atom] = this.atoms.fresh(1);
      this.atoms.block(atom!, {
        reason: `it belongs to the graph input '${input.name}'`,
        node: undefined,
      });
      this.#set(
        input,
        shapeOf(input).map((d) => new Array<number>(d).fill(atom!)),
      );
    }
    for (const node of model.graph.nodes) this.#couple(node);
    for (const node of model.graph.nodes)
      for (const inner of subgraphsOf(node))
        for (const value of valuesUsedIn(inner))
          this.#keep(value, { reason: `${node.op} takes it into a subgraph`, node });
    for (const value of model.graph.outputs)
      this.#keep(value, {
        reason: `it belongs to the graph output '${value.name}'`,
        node: undefined,
      });
    this.#keepWhatWouldBeEmpty();
  }

  /** Every tensor with its axes, in graph order. */
  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Axes of an activation or a weight; of a constant, those of its first use. */
  axesOf(value: Value): Axes {
    const slot = this.#byValue.get(value) ?? this.#slots.find((s) => s.value === value);
    return slot?.axes ?? [];
  }

  /** The tensor at an input of a node. */
  slotAt(node: Node, index: number): Slot | undefined {
    const value = node.inputs[index];
    return this.#byUse.get(node)?.[index] ?? (value && this.#byValue.get(value));
  }

  /** Whether channels along an axis of an activation are summed away by some node. */
  isMixed(value: Value, axis: number): boolean {
    return this.#mixed.get(value)?.has(axis) ?? false;
  }

  #couple(node: Node): void {
    const context = this.#context(node);
    const sized = [...node.inputs, ...node.outputs].every((v) => !v || isSized(v));
    if (sized) couplingRule(node.op, node.domain)(context);
    else unknown(context, `${node.op} works on sizes that are known only at run time`);
    for (const y of node.outputs)
      if (y && !this.#byValue.has(y)) this.#set(y, dimsOf(y).map(fixed));
  }

  #context(node: Node): CouplingContext {
    const { atoms } = this;
    const input = (i: number) => node.inputs[i]!;
    return {
      node,
      atoms,
      opset: this.model.opsets[''] ?? 0,
      inputs: node.inputs.length,
      has: (i) => node.inputs[i] !== undefined,
      x: (i) => this.#axesAt(node, i),
      weight: (i) => this.#axesOfWeight(input(i)),
      xDims: (i) => dimsOf(input(i)),
      yDims: (i) => dimsOf(node.outputs[i]!),
      set: (i, axes) => {
        const y = node.outputs[i];
        if (y) this.#set(y, axes);
      },
      tie: (a, b) => tie(atoms, a, b, node),
      merge: (rows, columns) => merge(atoms, rows, columns),
      split: (axis, rows) => split(atoms, axis, rows, node),
      block: (axis, reason) => {
        for (const atom of axis ?? []) atoms.block(atom, { reason, node });
      },
      blockPositions: (axis) => {
        const reason = `${node.op} runs over its positions`;
        for (const atom of axis ?? []) atoms.block(atom, { reason, node, positions: true });
      },
      mixes: (i, axis) => {
        // Only float activations can be multiplied by zero.
        if (!/float/.test(dtypeKnown(input(i)) ?? 'float'))
          for (const atom of this.#axesAt(node, i)[axis] ?? [])
            atoms.block(atom, { reason: `${node.op} sums whole numbers over it`, node });
        const seen = this.#mixed.get(input(i)) ?? new Set();
        this.#mixed.set(input(i), seen.add(axis));
      },
    };
  }

  #set(value: Value, axes: Axes): Axes {
    const slot = { value, use: undefined, axes };
    this.#byValue.set(value, slot);
    this.#slots.push(slot);
    return axes;
  }

  #axesOfWeight(value: Value): Axes {
    return this.#byValue.get(value)?.axes ?? this.#set(value, this.#freshAxes(value));
  }

  #axesAt(node: Node, index: number): Axes {
    const value = node.inputs[index]!;
    if (!value.constant)
      return this.#byValue.get(value)?.axes ?? this.#set(value, dimsOf(value).map(fixed));
    const own = this.#byUse.get(node) ?? [];
    this.#byUse.set(node, own);
    if (!own[index]) {
      own[index] = { value, use: { node, index }, axes: this.#freshAxes(value) };
      this.#slots.push(own[index]);
    }
    return own[index].axes;
  }

  #freshAxes(value: Value): Axes {
    return value.constant!.dims.map((d) => (d === 1 ? fixed(1) : this.atoms.fresh(d)));
  }

  /** Let all of a tensor stay, at every use. */
  #keep(value: Value, cause: Cause): void {
    for (const slot of this.#slots)
      if (slot.value === value)
        for (const axis of slot.axes) for (const atom of axis) this.atoms.block(atom, cause);
  }

  /** The node that a tensor belongs to: its maker, or who uses the constant. */
  #nodeAt({ value, use }: Slot): Node | undefined {
    const has = (values: readonly (Value | undefined)[]) => values.includes(value);
    const { nodes } = this.model.graph;
    return use?.node ?? nodes.find((n) => has(n.outputs)) ?? nodes.find((n) => has(n.inputs));
  }

  /** An atom that every place of some axis belongs to would leave nothing of it. */
  #keepWhatWouldBeEmpty(): void {
    for (const slot of this.#slots)
      for (const [i, axis] of slot.axes.entries()) {
        let all = axis.length > 0 ? new Set(this.atoms.leaves(axis[0]!)) : new Set<number>();
        for (const atom of axis) {
          if (all.size === 0) break;
          all = all.intersection(new Set(this.atoms.leaves(atom)));
        }
        if (all.size === 0) continue;
        const reason = `axis ${i} of '${slot.value.name}' would be empty`;
        for (const atom of all) this.atoms.block(atom, { reason, node: this.#nodeAt(slot) });
      }
  }
}

/** Sizes of a tensor; none where they are known only at run time. */
const dimsOf = (value: Value): readonly number[] =>
  value.constant?.dims ?? (isSized(value) ? shapeOf(value) : []);

const isSized = (value: Value): boolean => value.constant !== undefined || isStatic(value);
