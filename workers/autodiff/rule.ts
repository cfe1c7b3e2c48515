/** @file What a gradient rule is. */

import type { GraphBuilder } from '../onnx/builder.ts';
import type { Node, Value } from '../onnx/graph.ts';

/**
 * Operands of one node. The first three read as present so that a rule can destructure them; the checker has
 * verified arity, and backward() never asks for the gradient of an optional input that the model left out.
 */
export type Operands = readonly [Value, Value, Value, ...Value[]];

export interface GradientContext {
  /** In canonical form: see workers/onnx/normalize.ts. */
  readonly node: Node;
  /** Forward inputs. */
  readonly x: Operands;
  /** Forward outputs. */
  readonly y: Operands;
  /** dL/dy, with the shapes of y; zeros where no gradient arrives. */
  readonly dy: Operands;
  /** Whether a gradient arrives at output i: lets a rule refuse only where it matters. */
  readonly arrives: (i: number) => boolean;
  /** Where new nodes go. */
  readonly g: GraphBuilder;
}

/**
 * How dL/dx follows from dL/dy for one op: a thunk per input, in input order.
 *
 * A thunk is called only if its gradient is wanted. It may return the shape of the broadcast result;
 * backward() sums it back to the input's own shape. `null` marks an input that has no gradient by
 * definition, such as the target shape of Reshape.
 */
export type GradientRule = (ctx: GradientContext) => readonly ((() => Value) | null)[];
