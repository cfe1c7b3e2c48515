/** @file What can be taken out of 8 bits, what that spares the outputs and what it costs, the best bargain first. */

import type { Graph, Node } from '../../onnx/graph.ts';
import { weightIndex } from '../../onnx/trained.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import type { Placement } from '../placement.ts';
import type { Profile } from '../profiles.ts';
import type { Relief } from '../write-survey.ts';
import type { Sensitivity } from './sensitivity.ts';

/** One step out of 8 bits. */
export interface Flip {
  /** What the product makes, or the tensor that gets 16 bits. */
  readonly tensor: string;
  readonly to: 'float' | '16 bit';
  /** Noise over signal of the outputs that goes with it. */
  readonly harm: number;
  /** MACs that leave 8 bits with it. */
  readonly macs: number;
}

/**
 * To float: whole products, since one that reads or makes a float tensor runs in float; with the rounding of its weights,
 * its input and its own result. To 16 bits: tensors, with the products that read them; and to float what weights need it.
 *
 * @param placement of the model in 8 bits
 * @param macs of each node of `graph`, in its order
 */
export function flipsOf(
  graph: Graph,
  placement: Placement,
  sensitivities: readonly Sensitivity[],
  macs: readonly number[],
  { relief }: Pick<Profile, 'relief'>,
): Flip[] {
  const harm = new Map(sensitivities.map((s) => [`${s.kind} ${s.tensor}`, s.harm]));
  const cost = new Map(graph.nodes.map((n, i) => [n, macs[i]!]));
  const harmOf: HarmOf = (kind, tensor) => harm.get(`${kind} ${tensor}`) ?? 0;
  const index = new GraphIndex(graph);
  const flips =
    relief === 'float'
      ? placement.products.map((node) => productFlip(node, index, harmOf, cost))
      : [
          ...placement.tensors.map(({ value }) => tensorFlip(value.name, placement, harmOf, cost)),
          ...placement.products.map((n) => weightsFlip(n, harmOf, cost)),
        ];
  // A flip that costs no MACs is a bargain at any harm.
  const bargain = (f: Flip) => f.harm / Math.max(1, f.macs);
  return flips.filter((f) => f.harm > 0).sort((a, b) => bargain(b) - bargain(a));
}

type HarmOf = (kind: Sensitivity['kind'], tensor: string) => number;

function productFlip(
  node: Node,
  index: GraphIndex,
  harmOf: HarmOf,
  cost: ReadonlyMap<Node, number>,
): Flip {
  const y = node.outputs[0]!;
  const x = node.inputs[weightIndex(node) === 0 ? 1 : 0]!;
  // An input that others read as well stays rounded for them: a share of its harm is this product's.
  const readers = new Set(index.uses(x).map((use) => use.node)).size;
  const own = harmOf('activation', y.name);
  const shared = harmOf('activation', x.name) / Math.max(1, readers);
  return {
    tensor: y.name,
    to: 'float',
    harm: harmOf('weights', y.name) + own + shared,
    macs: cost.get(node)!,
  };
}

function tensorFlip(
  tensor: string,
  { products }: Placement,
  harmOf: HarmOf,
  cost: ReadonlyMap<Node, number>,
): Flip {
  const readers = products.filter((n) => n.inputs.some((x) => x?.name === tensor));
  const macs = readers.reduce((sum, n) => sum + cost.get(n)!, 0);
  return { tensor, to: '16 bit', harm: harmOf('activation', tensor), macs };
}

/** What 16-bit activations do not help: weights that 8 bits are too few for. */
function weightsFlip(node: Node, harmOf: HarmOf, cost: ReadonlyMap<Node, number>): Flip {
  const tensor = node.outputs[0]!.name;
  return { tensor, to: 'float', harm: harmOf('weights', tensor), macs: cost.get(node)! };
}

/** The first `count` flips, as `writeSurvey` takes them. */
export function reliefOf(flips: readonly Flip[], count: number): Relief {
  const chosen = flips.slice(0, count);
  return {
    float: new Map(
      chosen
        .filter((f) => f.to === 'float')
        .map((f) => [f.tensor, 'it harms the outputs most for what it saves (mixed precision)']),
    ),
    wide: new Set(chosen.filter((f) => f.to === '16 bit').map((f) => f.tensor)),
  };
}
