/** @file A quantized model as a float one: the same function, but for the rounding between layers. */

import { dtypeKnown, type Model, type Node, type Value } from '../onnx/graph.ts';
import { normalize } from '../onnx/normalize.ts';
import { sortNodes } from '../onnx/topological.ts';
import { valuesUsedIn } from '../onnx/uses.ts';
import { dropDeadCode } from './dead-code.ts';
import { refuse } from './dequantize/codes.ts';
import { Rewriting } from './dequantize/rewriting.ts';
import { DEQUANTIZED, HANDS_ON } from './dequantize/rules.ts';

/** Scales along an axis and bounds of a Clip as inputs. */
const OLDEST = 13;

/**
 * QDQ, QOperator and dynamically quantized graphs. Weights and biases become the numbers that their codes stand for, in
 * float32 as the runtime computes them; Q and DQ around activations go. Where the lowest code stands for 0, a rectifier
 * that was left to the code comes back as a Clip.
 *
 * @param model types of all values are known; changed in place
 * @returns how many quantized nodes there were; 0: the model is float, and left as it was
 * @throws MODEL_NOT_DEQUANTIZABLE a node has no form in float, by name
 */
export function dequantize(model: Model): number {
  const { graph } = model;
  const count = graph.nodes.filter(isQuantized).length;
  if (count === 0) return 0;
  normalize(model, OLDEST);
  sortNodes(graph);
  const readers = new Set(graph.nodes.filter((n) => n.inputs.some(isCodes)));
  const codedOutput = graph.outputs.find(isCodes);
  const r = new Rewriting(graph);
  for (const node of [...graph.nodes]) {
    if (DEQUANTIZED[node.op]) DEQUANTIZED[node.op]!(node, r);
    else if (isQuantized(node)) refuse(node, `${node.op} has no known form in float`);
    else handOn(node, r, readers.has(node));
  }
  if (r.coding(codedOutput))
    refuse(graph.nodes.at(-1)!, `the model returns the codes '${codedOutput!.name}'`);
  r.finish();
  dropDeadCode.run(model, { threads: 1, allowance: 0, decline: () => {} });
  sortNodes(graph);
  for (const v of valuesUsedIn(graph)) if (!v.constant && !isPort(model, v)) v.type = undefined;
  return count;
}

const isPort = ({ graph }: Model, v: Value): boolean =>
  graph.inputs.includes(v) || graph.outputs.includes(v);

const isQuantized = ({ op }: Node): boolean =>
  op in DEQUANTIZED ||
  /^(QLinear|QGemm|QAttention|DynamicQuantize|MatMulNBits|MatMulIntegerToFloat)/.test(op);

/** An op that reads codes as they are does the same to numbers, or cannot be told. */
function handOn(node: Node, r: Rewriting, readsCodes: boolean): void {
  r.keep(node);
  const coding = node.inputs.map((v) => r.coding(v)).find((c) => c !== undefined);
  if (!readsCodes || !coding) return;
  if (!HANDS_ON.has(node.op))
    refuse(node, `it computes with the codes of '${node.inputs[0]?.name}'`);
  for (const y of node.outputs) if (y) r.mark(y, coding);
}

const CODES: ReadonlySet<string | undefined> = new Set(['uint8', 'int8', 'uint16', 'int16']);
const isCodes = (v: Value | undefined): boolean => CODES.has(dtypeKnown(v));
