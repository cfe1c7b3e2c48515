/** @file Layers that can be factorized, each decomposed in every form that it takes. */

import { intOf, stringOf } from '../../../onnx/attributes.ts';
import { macsOf } from '../../../onnx/cost.ts';
import { type Model, type Node, nodeLabel, shapeKnown } from '../../../onnx/graph.ts';
import { isTrained, weightIndex } from '../../../onnx/trained.ts';
import { GraphIndex } from '../../../onnx/uses.ts';
import { isProtected } from '../../protect.ts';
import type { Candidate, Form, FullLayer, Prepared } from './form.ts';
import { FORMS } from './registry.ts';

/** Decomposing takes time with the cube of the smaller side. */
const LARGEST = 2048;

export interface Factorizable {
  readonly layer: FullLayer;
  readonly forms: Readonly<Record<string, Prepared>>;
  /** Cheaper than the layer, cheapest first. */
  readonly candidates: readonly Candidate[];
}

export interface LeftWhole {
  readonly tensor: string;
  readonly reason: string;
}

/**
 * @param protect names of nodes, weights or outputs, or patterns of these
 * @param tell done 0…1
 * @throws PATTERN_MATCHES_NOTHING
 */
export async function factorizableLayers(
  model: Model,
  protect: readonly string[],
  cost: (candidate: Pick<Candidate, 'macs' | 'params'>) => number,
  tell: (done: number) => Promise<void>,
): Promise<{ readonly found: readonly Factorizable[]; readonly refused: readonly LeftWhole[] }> {
  const index = new GraphIndex(model.graph);
  const stays = isProtected(protect, model);
  const found: Factorizable[] = [];
  const refused: LeftWhole[] = [];
  for (const [i, node] of model.graph.nodes.entries()) {
    const at = weightIndex(node);
    if (at === undefined || !isTrained(node) || stays(node, node.inputs[at]!)) continue;
    const layer = fullLayer(node, model, index);
    if (typeof layer === 'string') refused.push({ tensor: node.outputs[0]!.name, reason: layer });
    else found.push(decomposed(layer, cost));
    await tell((i + 1) / model.graph.nodes.length);
  }
  return { found: found.filter(({ candidates }) => candidates.length > 0), refused };
}

/** @returns why not, where it cannot be */
function fullLayer(node: Node, { graph }: Model, index: GraphIndex): FullLayer | string {
  const weight = node.inputs[1];
  const tensor = weight?.constant;
  const label = `${node.op} '${nodeLabel(node)}'`;
  if (!weight || !tensor) return `${label} has its weight on the left`;
  if (tensor.dtype !== 'float32') return `the weight of ${label} is ${tensor.dtype}`;
  if (index.uses(weight).length > 1) return `other nodes share the weight of ${label}`;
  const why = node.op === 'Conv' ? convMisfit(node) : productMisfit(node);
  if (why) return `${label} ${why}`;
  const [input, output] = [shapeKnown(node.inputs[0]), shapeKnown(node.outputs[0])];
  if (!isFixed(input) || !isFixed(output)) return `sizes of ${label} are known only at run time`;
  const [first, ...others] = tensor.dims as [number, ...number[]];
  const second = others.reduce((n, d) => n * d, 1);
  if (Math.min(first, second) > LARGEST)
    return `the weight of ${label} is ${first} × ${second}: more than ${LARGEST} both ways`;
  return { node, weight, input, output, macs: macsOf(node, graph) };
}

const isFixed = (shape: readonly unknown[] | undefined): shape is readonly number[] =>
  shape?.every((d) => typeof d === 'number') ?? false;

function convMisfit(node: Node): string | undefined {
  if (intOf(node, 'group', 1) !== 1) return 'is a convolution of groups';
  if (stringOf(node, 'auto_pad', 'NOTSET') !== 'NOTSET') return 'pads by itself (auto_pad)';
  return undefined;
}

function productMisfit(node: Node): string | undefined {
  if (node.op === 'ConvTranspose') return 'is a transposed convolution';
  if (node.inputs[1]!.constant!.dims.length !== 2) return 'has a weight that is no matrix';
  if (node.op === 'Gemm' && intOf(node, 'transA', 0) === 1) return 'takes its input transposed';
  return undefined;
}

function decomposed(
  layer: FullLayer,
  cost: (candidate: Pick<Candidate, 'macs' | 'params'>) => number,
): Factorizable {
  const forms = Object.fromEntries(
    Object.entries(FORMS as Readonly<Record<string, Form>>).flatMap(([name, form]) => {
      const prepared = form.prepare(layer);
      return prepared ? [[name, prepared] as const] : [];
    }),
  );
  const own = cost({ macs: layer.macs, params: layer.weight.constant!.size });
  const all = Object.values(forms).flatMap((p) => p.candidates());
  const cheaper = all.filter((c) => cost(c) < own).sort((a, b) => cost(a) - cost(b));
  // Of two at one price, or one that costs more and loses more, only the better counts.
  const candidates: Candidate[] = [];
  let best = Number.POSITIVE_INFINITY;
  for (const c of cheaper) {
    if (c.lost >= best) continue;
    best = c.lost;
    candidates.push(c);
  }
  return { layer, forms, candidates };
}
