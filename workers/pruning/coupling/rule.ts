/** @file What a coupling rule is: how the axes of one op's outputs follow from those of its inputs. */

import type { Node } from '../../onnx/graph.ts';
import type { Atoms, Axis } from './atoms.ts';

/** The axes of one tensor. */
export type Axes = readonly Axis[];

export interface CouplingContext {
  readonly node: Node;
  readonly atoms: Atoms;
  /** Opset of the model: some ops changed their meaning. */
  readonly opset: number;
  /** Number of inputs, absent ones included. */
  readonly inputs: number;
  readonly has: (i: number) => boolean;
  /** Axes of input i. A constant has axes of its own at each use: two uses may be cut differently. */
  x(i: number): Axes;
  /** Axes of input i as a weight: one constant has the same axes wherever it is used. */
  weight(i: number): Axes;
  /** Sizes of input and output i. */
  xDims(i: number): readonly number[];
  yDims(i: number): readonly number[];
  /** State the axes of output i. */
  set(i: number, axes: Axes): void;
  tie(a: Axis, b: Axis): void;
  merge(rows: Axis, columns: Axis): Axis;
  split(axis: Axis, rows: number): readonly [Axis, Axis];
  /** Let every place of an axis stay. */
  block(axis: Axis | undefined, reason: string): void;
  /** The same for an axis of positions. */
  blockPositions(axis: Axis | undefined): void;
  /** Channels along this axis of input i are summed away here: zeros add nothing. */
  mixes(i: number, axis: number): void;
}

export type CouplingRule = (c: CouplingContext) => void;
