/** @file Which values of a graph exist in blocks of channels, beside or instead of the plain layout. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Attribute, Node, Value } from '../../onnx/graph.ts';
import { type Shape, shapeOf } from '../../onnx/static-shapes.ts';
import { GraphIndex } from '../../onnx/uses.ts';

/** onnxruntime's domain of ops on blocked tensors (contrib_ops/cpu/nchwc_ops.cc). */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** Writes a node on blocked values and returns true, or leaves it to its plain form and returns false. */
export type Lowering = (node: Node, layout: BlockedLayout) => boolean;

/**
 * Of a plain tensor (N, C, H, W) the blocked one holds [N, ⌈C/b⌉, H, W, b] under the shape (N, b·⌈C/b⌉, H, W), channels beyond
 * C being 0. Elementwise ops and cuts between blocks do not feel the difference.
 */
export class BlockedLayout {
  readonly g: GraphBuilder;
  /** b. */
  readonly block: number;
  readonly #blocked = new Map<Value, Value>();
  /** Values of which only the blocked form is computed so far. */
  readonly #blockedOnly = new Set<Value>();

  readonly #uses: GraphIndex;

  /** @param g of the plain graph, whose uses count */
  constructor(g: GraphBuilder, block: number) {
    this.g = g;
    this.block = block;
    this.#uses = new GraphIndex(g.graph);
  }

  /** C raised to whole blocks. */
  padded(channels: number): number {
    return Math.ceil(channels / this.block) * this.block;
  }

  /** A node of the blocked domain. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    const value = this.g.op(op, inputs, shape, attributes);
    this.g.graph.nodes.at(-1)!.domain = BLOCKED_DOMAIN;
    return value;
  }

  /** Whether a blocked form is computed already. */
  has(plain: Value): boolean {
    return this.#blocked.has(plain);
  }

  /** The blocked form of (N, C, H, W), C a multiple of 4. */
  blocked(plain: Value): Value {
    const known = this.#blocked.get(plain);
    if (known) return known;
    const [n, c, ...rest] = shapeOf(plain) as [number, number, ...number[]];
    const made = this.op('ReorderInput', [plain], [n, this.padded(c), ...rest]);
    this.#blocked.set(plain, made);
    return made;
  }

  /** From here on `plain` is what `blocked` holds. */
  hold(plain: Value, blocked: Value): void {
    this.#blocked.set(plain, blocked);
    this.#blockedOnly.add(plain);
  }

  /** Make sure that the value itself is computed: a node that knows no blocks takes it. */
  release(plain: Value): void {
    if (!this.#blockedOnly.delete(plain)) return;
    const channels: Attribute = { type: 'int', value: shapeOf(plain)[1]! };
    this.op('ReorderOutput', [this.#blocked.get(plain)!], shapeOf(plain), { channels });
    this.g.graph.nodes.at(-1)!.outputs = [plain];
  }
  /** The Conv that computes the blocked form of a value which only `user` takes. */
  makerFor(plain: Value, user: Node): Node | undefined {
    const uses = this.#uses.uses(plain);
    const alone = uses.length === 1 && uses[0]!.node === user && !this.#uses.isOutput(plain);
    if (!alone || !this.#blockedOnly.has(plain)) return undefined;
    const blocked = this.#blocked.get(plain);
    return this.g.graph.nodes.findLast((n) => n.outputs[0] === blocked && n.op === 'Conv');
  }

  /** Let a node run after all that are written so far. */
  moveToEnd(node: Node): void {
    const { nodes } = this.g.graph;
    nodes.splice(nodes.indexOf(node), 1);
    nodes.push(node);
  }
}
