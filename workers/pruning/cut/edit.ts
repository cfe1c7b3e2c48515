/** @file What an edit of a node is: constants that say sizes and places follow the axes that were cut. */

import type { Attribute, Node } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { numbersAs } from '../../onnx/values.ts';
import type { Axis } from '../coupling/atoms.ts';
import { listOf } from '../coupling/constants.ts';
import type { Coupling } from '../coupling/couple.ts';
import type { KeptPlaces } from './kept-places.ts';

/** One node of the original, and what to change in its copy. */
export class NodeEdit {
  /** The node as it was. */
  readonly node: Node;
  /** New constants of its inputs. */
  readonly inputs = new Map<number, Tensor>();
  /** New constants of inputs that it had not. */
  readonly added = new Map<number, Tensor>();
  /** New attributes; undefined: the attribute goes. */
  readonly attributes = new Map<string, Attribute | undefined>();
  readonly #coupling: Coupling;
  readonly #kept: KeptPlaces;

  constructor(node: Node, coupling: Coupling, kept: KeptPlaces) {
    this.node = node;
    this.#coupling = coupling;
    this.#kept = kept;
  }

  get opset(): number {
    return this.#coupling.model.opsets[''] ?? 0;
  }

  /** Axes of input i. */
  x(i: number): readonly Axis[] {
    return this.#coupling.slotAt(this.node, i)?.axes ?? [];
  }

  /** Axes of output i. */
  y(i: number): readonly Axis[] {
    const value = this.node.outputs[i];
    return value ? this.#coupling.axesOf(value) : [];
  }

  /** Places of an axis that stay. */
  kept(axis: Axis): readonly number[] {
    return this.#kept.of(axis);
  }

  /** Sizes before and after. */
  before = (axes: readonly Axis[]): number[] => axes.map((axis) => axis.length);
  after = (axes: readonly Axis[]): number[] => axes.map((axis) => this.kept(axis).length);

  /** Write a list of whole numbers where it was: into the constant input, or the attribute. Equal ones are left as they are. */
  setInts(input: number, attribute: string, numbers: readonly number[]): void {
    const before = listOf(this.node, input, attribute);
    if (before?.length === numbers.length && before.every((n, i) => n === numbers[i])) return;
    const constant = this.node.inputs[input]?.constant;
    if (constant)
      this.inputs.set(input, numbersAs(constant.dtype, listDims(constant, numbers), numbers));
    else this.attributes.set(attribute, { type: 'ints', value: numbers });
  }
}

/** As many axes as before; the one that was longer than 1 is as long as the list. */
const listDims = ({ dims, size }: Tensor, numbers: readonly number[]) =>
  size === numbers.length ? dims : dims.map((d) => (d === size ? numbers.length : d));

export type Edit = (e: NodeEdit) => void;
