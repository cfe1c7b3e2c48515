/** @file What must hold of a graph before anybody works on it. */

import { ServiceError } from '../../src/contract/errors.ts';
import { subgraphsOf } from './attributes.ts';
import { DOMAINS } from './domains.ts';
import { typeFault } from './element-types.ts';
import { type Graph, type Model, type Node, nodeLabel, type Value } from './graph.ts';
import { NEWEST_OPSET, OLDEST_OPSET } from './normalize.ts';
import { weightIndex } from './trained.ts';

const invalid = (where: string, why: string): never => {
  throw new ServiceError('MODEL_INVALID', { where, why });
};

/**
 * Opset and domains are known, every value is made once and before it is used, names are unique, weights hold
 * something, inputs and outputs exist.
 *
 * @throws MODEL_INVALID naming the node or value @throws OPSET_UNSUPPORTED
 */
export function checkModel(model: Model): void {
  const opset = model.opsets[''];
  if (opset !== undefined && (opset < OLDEST_OPSET || opset > NEWEST_OPSET)) {
    throw new ServiceError('OPSET_UNSUPPORTED', {
      found: opset,
      oldest: OLDEST_OPSET,
      newest: NEWEST_OPSET,
    });
  }
  if (model.graph.outputs.length === 0) invalid('the graph', 'it has no output');
  if (model.graph.nodes.length === 0) invalid('the graph', 'it has no nodes');
  checkGraph(model.graph, new Set(), model);
}

function checkGraph(graph: Graph, outer: ReadonlySet<Value>, model: Model): void {
  const known = new Set([...outer, ...graph.inputs, ...graph.initializers]);
  const names = new Map<string, Value>();
  const claim = (value: Value, maker: string) => {
    const other = names.get(value.name);
    if (value.name !== '' && other !== undefined && other !== value)
      invalid(maker, `the name '${value.name}' is given to two values`);
    names.set(value.name, value);
  };
  for (const v of [...graph.inputs, ...graph.initializers]) claim(v, `'${v.name}'`);
  for (const node of graph.nodes) {
    checkNode(node, known, model);
    for (const inner of subgraphsOf(node)) checkGraph(inner, known, model);
    for (const y of node.outputs) {
      if (y === undefined) continue;
      if (known.has(y))
        invalid(`node '${nodeLabel(node)}'`, `it makes '${y.name}', which exists already`);
      claim(y, `node '${nodeLabel(node)}'`);
      known.add(y);
    }
  }
  for (const y of graph.outputs)
    if (!known.has(y)) invalid(`graph output '${y.name}'`, 'nothing makes it');
}

function checkNode(node: Node, known: ReadonlySet<Value>, model: Model): void {
  const where = `node '${nodeLabel(node)}'`;
  if (!DOMAINS.has(node.domain) && model.functions.length === 0) {
    invalid(
      where,
      `its domain '${node.domain}' is unknown; known are ${[...DOMAINS].map((d) => d || 'ai.onnx').join(', ')}`,
    );
  }
  if (node.op === '') invalid(where, 'it has no op type');
  if (node.domain === '' && model.opsets[''] === undefined)
    invalid(where, 'the file imports no opset of ai.onnx, so that what the op means is not said');
  const fault = typeFault(node);
  if (fault) invalid(where, fault);
  for (const x of node.inputs) {
    if (x && !known.has(x)) invalid(where, `its input '${x.name}' is not made before it`);
  }
  const index = weightIndex(node);
  const weight = index === undefined ? undefined : node.inputs[index]?.constant;
  if (weight?.size === 0)
    invalid(
      where,
      `its weight '${node.inputs[index!]!.name}' has shape [${weight.dims}]: it holds nothing`,
    );
}
