/** @file Scores that a quantized model rounds away: found in the graph, without running it. */

import { type Graph, type Model, type Node, nodeLabel, type Value } from '../onnx/graph.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { numbersOf } from '../onnx/values.ts';

/** What makes numbers between 0 and 1. */
const SCORES = /^(Sigmoid|HardSigmoid|Softmax|QLinearSigmoid|QLinearSoftmax)$/;

/** Ops that hand numbers on as they are, but for rounding. */
const PASS =
  /^(DequantizeLinear|QuantizeLinear|Concat|QLinearConcat|Reshape|Transpose|Slice|Split|Squeeze|Unsqueeze|Flatten|Identity|Cast)$/;

/** With fewer codes between 0 and 1, most scores become 0 and the others a few steps. */
const FEWEST = 16;

/** Place of the scale among the inputs. */
const SCALE: Readonly<Record<string, number>> = {
  QuantizeLinear: 1,
  DequantizeLinear: 1,
  QLinearConcat: 0,
};

/** @returns in words, for every output whose scores have next to no codes left */
export function coarseScores({ graph }: Model): string[] {
  const index = new GraphIndex(graph);
  return graph.outputs.flatMap((output) => {
    const coarse = coarsest(output, graph, index);
    if (coarse === undefined || coarse.step * FEWEST <= 1) return [];
    const { step, at } = coarse;
    const left =
      step > 2 ? 'every score becomes 0' : `scores can only be 0 and multiples of ${step}`;
    return [
      `Scores of output '${output.name}', which lie between 0 and 1, are rounded in steps of ${step} by ${nodeLabel(at)}: ${left}, and the model finds nothing. A quantizer that gives boxes in pixels and scores one scale does this: quantize again from the float model, with what follows the last convolutions in float.`,
    ];
  });
}

interface Rounding {
  readonly step: number;
  readonly at: Node;
}

/** The coarsest rounding between an output and scores that reach it; undefined: none do, or none is rounded. */
function coarsest(output: Value, graph: Graph, index: GraphIndex): Rounding | undefined {
  const inputs = new Set(graph.inputs);
  const known = new Map<Value, Rounding | 'exact' | undefined>();
  /** 'exact': scores arrive without rounding. */
  const visit = (value: Value): Rounding | 'exact' | undefined => {
    if (known.has(value)) return known.get(value);
    known.set(value, undefined);
    const node = inputs.has(value) ? undefined : index.producer(value);
    const found = node && through(node, visit);
    known.set(value, found);
    return found;
  };
  const found = visit(output);
  return found === 'exact' ? undefined : found;
}

function through(
  node: Node,
  visit: (value: Value) => Rounding | 'exact' | undefined,
): Rounding | 'exact' | undefined {
  if (SCORES.test(node.op)) return 'exact';
  if (!PASS.test(node.op)) return undefined;
  const behind = node.inputs.flatMap((v) => {
    const found = v && !v.constant ? visit(v) : undefined;
    return found ? [found] : [];
  });
  if (behind.length === 0) return undefined;
  const roundings = behind.filter((b) => b !== 'exact');
  const own = stepOf(node);
  if (own !== undefined) roundings.push({ step: own, at: node });
  if (roundings.length === 0) return 'exact';
  return roundings.reduce((a, b) => (b.step > a.step ? b : a));
}

function stepOf(node: Node): number | undefined {
  const at = SCALE[node.op];
  const scale = at === undefined ? undefined : node.inputs[at]?.constant;
  return scale && Math.max(...numbersOf(scale));
}
