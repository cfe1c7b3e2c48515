/** @file Whether a model can be trained, and otherwise which nodes stand in the way. Nothing is run. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Obstacle, Trainability } from '../../src/contract/inspection.ts';
import { pathsBetween } from '../autodiff/paths.ts';
import { gradientRule } from '../autodiff/registry.ts';
import type { GradientContext, Operands } from '../autodiff/rule.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { weightOf } from '../onnx/decode-tail.ts';
import {
  dtypeKnown,
  emptyModel,
  type Graph,
  type Model,
  type Node,
  nodeLabel,
  type Value,
} from '../onnx/graph.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { bindTask } from '../tasks/registry.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { canonical } from './canonical.ts';
import { chooseLoss } from './losses/registry.ts';
import { findParameters } from './parameters.ts';

type Untrainable = Extract<Trainability, { trainable: false }>;

/**
 * Whether every node between the trained float32 weights and what the task's default loss reads can be differentiated.
 * Each rule is asked for the gradients that a training step would want of it, so that a form that it refuses counts too.
 *
 * @param model left as it is; open axes are tried at 1 image of 224 × 224
 * @returns how many weight tensors a gradient reaches and their elements, or in words why there is no training it
 */
export async function trainability(model: Model): Promise<Trainability> {
  try {
    const form = await canonical(model);
    const binding = bindTask(form);
    const misfit = inputMisfit(form.graph, binding);
    if (misfit !== undefined) return untrainable(misfit);
    return refusedWeights(form.graph) ?? alongPaths(form.graph, readsOf(form.graph, binding));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return untrainable(error.message.replace(/\.$/, ''));
  }
}

/** @throws MODEL_NOT_TRAINABLE with all reasons */
export async function refuseUntrainable(model: Model): Promise<void> {
  const found = await trainability(model);
  if (!found.trainable) throw new ServiceError('MODEL_NOT_TRAINABLE', { why: found.why });
}

const untrainable = (why: string, nodes: Obstacle[] = []): Untrainable => ({
  trainable: false,
  why,
  nodes,
});

/** @returns why no images can be fed to training, in words, where that is so */
export function inputMisfit(graph: Graph, { input }: TaskBinding): string | undefined {
  const value = graph.inputs.find((v) => v.name === input?.name);
  if (value === undefined) return 'it takes no image';
  const dtype = dtypeKnown(value);
  return dtype === 'float32'
    ? undefined
    : `its input '${value.name}' is ${dtype}; training needs float32`;
}

/** Element types of trained weights, and of sizes and places that some graphs multiply. */
const NUMBERS: ReadonlySet<string> = new Set(['float32', 'int32', 'int64']);

/** Weights stored as integers, or in another float type. */
function refusedWeights(graph: Graph): Untrainable | undefined {
  const index = new GraphIndex(graph);
  const nodes = graph.nodes.flatMap((node) => {
    const dtype = weightOf(node, index)?.dtype;
    return dtype === undefined || NUMBERS.has(dtype)
      ? []
      : [obstacle(node, `its weight is ${dtype}`)];
  });
  if (nodes.length === 0) return undefined;
  const what = nodes.length === 1 ? 'a weight is' : `${nodes.length} weights are`;
  return untrainable(`${what} not float32 (${listed(nodes)}): train the float32 model`, nodes);
}

/** What the default loss reads; the float outputs where no loss fits. */
function readsOf(graph: Graph, binding: TaskBinding): readonly Value[] {
  try {
    return chooseLoss('auto', graph, binding, { labelled: true }).bound.reads;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return graph.outputs.filter((v) => dtypeKnown(v) === 'float32');
  }
}

function alongPaths(graph: Graph, reads: readonly Value[]): Trainability {
  const parameters = findParameters(graph);
  if (parameters.length === 0)
    return untrainable(
      'it has no trained float32 weights: no product, norm or slope has a learned constant',
    );
  const weights = parameters.map((p) => p.value);
  const { wanted, nodes } = pathsBetween(graph.nodes, weights, reads);
  const arrived = new Set(reads);
  const obstacles = nodes.flatMap((node) => {
    const why = pass(node, wanted, arrived);
    return why === undefined ? [] : [obstacle(node, why)];
  });
  obstacles.reverse();
  if (obstacles.length > 0) {
    const count = obstacles.length === 1 ? 'a node stands' : `${obstacles.length} nodes stand`;
    return untrainable(
      `${count} between its weights and its loss: ${listed(obstacles)}`,
      obstacles,
    );
  }
  const reached = parameters.filter((p) => arrived.has(p.value));
  if (reached.length === 0)
    return untrainable('no gradient of an output reaches any of its weights');
  const elements = reached.reduce((n, p) => n + p.initial.size, 0);
  return { trainable: true, weights: reached.length, elements };
}

/**
 * Ask a node's rule for the gradients that are wanted and put the inputs that get one into `arrived`.
 *
 * @returns why it has none, in words; then every wanted input counts as reached, so that what lies before it is looked at too
 */
function pass(node: Node, wanted: ReadonlySet<Value>, arrived: Set<Value>): string | undefined {
  const mine = node.inputs.map((x) => (x && wanted.has(x) ? x : undefined));
  try {
    const rule = gradientRule(node);
    if (!node.outputs.some((y) => y && arrived.has(y))) return undefined;
    const gradients = rule(contextOf(node, arrived));
    for (const [i, x] of mine.entries()) if (x && gradients[i]?.()) arrived.add(x);
    return undefined;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    for (const x of mine) if (x) arrived.add(x);
    return wordsOf(error);
  }
}

/** A scratch graph to write into, and the outputs themselves in the place of their gradients: only shapes and types matter. */
function contextOf(node: Node, arrived: ReadonlySet<Value>): GradientContext {
  const outputs = node.outputs as readonly Value[] as Operands;
  return {
    node,
    x: node.inputs as readonly Value[] as Operands,
    y: outputs,
    dy: outputs,
    arrives: (i) => node.outputs[i] !== undefined && arrived.has(node.outputs[i]),
    g: new GraphBuilder(emptyModel(10, 21).graph),
  };
}

function wordsOf(error: ServiceError): string {
  if (error.code === 'OP_HAS_NO_GRADIENT') return 'it has no gradient rule';
  const { why } = error.facts as { why?: string };
  return error.code === 'OP_NOT_DIFFERENTIABLE' && why ? why : error.message.replace(/\.$/, '');
}

const obstacle = (node: Node, why: string): Obstacle => ({
  name: nodeLabel(node),
  op: node.domain ? `${node.domain}.${node.op}` : node.op,
  why,
});

/** The first few, in words. */
function listed(nodes: readonly Obstacle[], most = 3): string {
  const named = nodes.slice(0, most).map(({ name, op, why }) => `${op} '${name}' (${why})`);
  const more = nodes.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
