/** @file One form per op: raise a graph's opset until every node is written as a newer version of ONNX writes it. */

import { ServiceError } from '../../src/contract/errors.ts';
import { subgraphsOf } from './attributes.ts';
import { type Graph, type Model, type Node, nodeLabel, Value } from './graph.ts';
import { Names } from './names.ts';
import { ElementTypes } from './normalize/element-types.ts';
import { OPSET_CHANGES } from './normalize/registry.ts';
import { Tensor } from './tensor.ts';
import { numbersAs } from './values.ts';

/** The opset whose forms gradient rules and the axis algebra are written for. */
export const CANONICAL_OPSET = 21;

export const OLDEST_OPSET = 7;
export const NEWEST_OPSET = 25;

/** What a change may add to the graph around its node. */
export interface Rewrite {
  readonly graph: Graph;
  /** An int64 constant, one-dimensional where no dims are given. */
  ints(node: Node, what: string, data: readonly number[], dims?: readonly number[]): Value;
  /** A constant of the element type that `like` has, as far as the file tells (float32 else). */
  floats(
    node: Node,
    what: string,
    dims: readonly number[],
    data: readonly number[],
    like: Value | undefined,
  ): Value;
  /** A new value for the output of an added node. */
  value(node: Node, what: string): Value;
  refuse(node: Node, why: string): never;
}

/** One version step of one op: rewrites its nodes, or puts several in their place. */
export type OpsetChange = (node: Node, rewrite: Rewrite) => readonly Node[] | undefined;

/**
 * Rewrite every node of ai.onnx from the model's opset to `opset`, changes applied in the order of the versions that
 * brought them. Names stay. A model that is already there or beyond is left alone.
 *
 * @throws OPSET_UNSUPPORTED the file's opset lies outside 7…25
 * @throws MODEL_INVALID a node has a form that has no counterpart, by name
 */
export function normalize(model: Model, opset = CANONICAL_OPSET): void {
  const from = model.opsets[''] ?? 0;
  if (from === 0) return;
  if (from < OLDEST_OPSET || from > NEWEST_OPSET)
    throw new ServiceError('OPSET_UNSUPPORTED', {
      found: from,
      oldest: OLDEST_OPSET,
      newest: NEWEST_OPSET,
    });
  if (from >= opset) return;
  const names = new Names(model.graph);
  for (const [version, changes] of OPSET_CHANGES) {
    if (version > from && version <= opset) rewriteGraph(model.graph, changes, names);
  }
  model.opsets[''] = opset;
  raiseIr(model, irVersionOf(opset));
}

/**
 * Before IR 4 every constant had to be an input too, and was a constant all the same. From 4 on such an input may
 * be set by whoever runs the model, and a runtime must not fold it: so those inputs go.
 */
function raiseIr(model: Model, irVersion: number): void {
  if (model.irVersion < 4 && irVersion >= 4)
    model.graph.inputs = model.graph.inputs.filter((v) => !v.constant);
  model.irVersion = Math.max(model.irVersion, irVersion);
}

/** The IR version that came with an opset: runtimes refuse a newer opset under an older one. */
function irVersionOf(opset: number): number {
  const steps = [
    [21, 10],
    [19, 9],
    [15, 8],
    [12, 7],
    [11, 6],
    [10, 5],
    [9, 4],
  ] as const;
  return steps.find(([since]) => opset >= since)?.[1] ?? 3;
}

function rewriteGraph(
  graph: Graph,
  changes: Readonly<Record<string, OpsetChange>>,
  names: Names,
): void {
  const rewrite = rewriteFor(graph, names, new ElementTypes(graph));
  graph.nodes = graph.nodes.flatMap((node) => {
    for (const inner of subgraphsOf(node)) rewriteGraph(inner, changes, names);
    return (node.domain === '' ? changes[node.op]?.(node, rewrite) : undefined) ?? [node];
  });
}

function rewriteFor(graph: Graph, names: Names, types: ElementTypes): Rewrite {
  const constant = (node: Node, what: string, tensor: Tensor) => {
    const stem = `${node.outputs.find((y) => y)?.name ?? node.op}/${what}`;
    const value = new Value(
      names.fresh(stem),
      { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims },
      tensor,
    );
    graph.initializers.push(value);
    return value;
  };
  return {
    graph,
    ints: (node, what, data, dims = [data.length]) =>
      constant(node, what, Tensor.int64(dims, data)),
    floats: (node, what, dims, data, like) =>
      constant(node, what, numbersAs(like ? types.of(like) : 'float32', dims, data)),
    value: (node, what) =>
      new Value(names.fresh(`${node.outputs.find((y) => y)?.name ?? node.op}/${what}`)),
    refuse: (node, why) => {
      throw new ServiceError('MODEL_INVALID', { where: `node '${nodeLabel(node)}'`, why });
    },
  };
}
