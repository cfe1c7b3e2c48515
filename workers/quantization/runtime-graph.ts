/** @file What the runtime on this machine makes of a quantized model: which products run in integers, and why others do not. */

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model, Node } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { weightIndex } from '../onnx/trained.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { openSession } from '../runtime/session.ts';
import type { Placement } from './placement.ts';

/** One product as it runs. */
export interface Run {
  /** Name of its result. */
  readonly tensor: string;
  readonly op: string;
  /** The runtime's op in integers; null: it runs in float. */
  readonly as: string | null;
  /** Why it runs in float. */
  readonly reason?: string;
}

export interface RuntimeOptions {
  readonly provider: string;
  /** Folder for the runtime's optimised graph. */
  readonly scratch: string;
}

const INTEGER = /^(QLinear|QGemm$|ConvInteger|MatMulInteger|DynamicQuantizeMatMul|QAttention$)/;

/** Ops between a product and the rounding of its result that a runtime takes into it. */
const TAKEN_IN = new Set(['Relu', 'Clip', 'QuantizeLinear']);

/**
 * Every product of `model`, looked up in the graph that the runtime's own optimisers make of it.
 *
 * @param model quantized
 */
export async function productRuns(
  model: Model,
  placement: Placement,
  options: RuntimeOptions,
): Promise<Run[]> {
  const { graph } = await optimised(model, options);
  const integer = new Map(
    graph.nodes
      .filter((n) => INTEGER.test(n.op))
      .flatMap((n) => n.outputs.map((y) => [y?.name ?? '', n.op] as const)),
  );
  const kept = new Map(placement.float.map(({ tensor, reason }) => [tensor, reason]));
  const index = new GraphIndex(model.graph);
  const quantized = new Set(placement.products);
  return model.graph.nodes.filter(isProduct).map((node) => {
    const names = namesBehind(node, index);
    const as = names.map((name) => integer.get(name)).find((op) => op !== undefined) ?? null;
    const [tensor, op] = [node.outputs[0]!.name, node.op];
    if (as !== null) return { tensor, op, as };
    const why = quantized.has(node) ? whyFloat(node, index) : undefined;
    const reason = kept.get(tensor) ?? why ?? 'it is not quantized';
    return { tensor, op, as, reason };
  });
}

const isProduct = (node: Node): boolean =>
  node.domain === '' && /^(Conv|ConvTranspose|Gemm|MatMul)$/.test(node.op);

/** Names that an integer op with this product in it can give its result: its own, or that of what it took in. */
function namesBehind(node: Node, index: GraphIndex): string[] {
  const names: string[] = [];
  let value = node.outputs[0];
  while (value) {
    names.push(value.name);
    const readers = index.uses(value).map((use) => use.node);
    value = readers.find((n) => TAKEN_IN.has(n.op))?.outputs[0];
  }
  return names;
}

/** In words, what the runtime's integer kernels miss in a product that is quantized. */
function whyFloat(node: Node, index: GraphIndex): string {
  const at = weightIndex(node) ?? 1;
  const maker = (i: number) => {
    const x = node.inputs[i];
    return x && index.producer(x);
  };
  const x = maker(at === 0 ? 1 : 0);
  if (x?.op !== 'DequantizeLinear') return 'its input is not quantized';
  const type = x.inputs[0]?.type;
  const dtype = type?.kind === 'tensor' ? type.dtype : '';
  if (dtype.endsWith('16')) return 'this runtime has no kernel for 16-bit activations';
  const rounded =
    namesBehind(node, index).length > 1 && behind(node, index)?.op === 'QuantizeLinear';
  if (!rounded)
    return 'its own result is not quantized, and this runtime fuses no activation into it';
  if (dtype === 'int8') return 'this runtime fuses uint8 activations only';
  return 'this runtime has no integer kernel for it as it stands here';
}

function behind(node: Node, index: GraphIndex): Node | undefined {
  let last: Node | undefined;
  let value = node.outputs[0];
  while (value) {
    last = index
      .uses(value)
      .map((use) => use.node)
      .find((n) => TAKEN_IN.has(n.op));
    if (last?.op === 'QuantizeLinear') return last;
    value = last?.outputs[0];
  }
  return last;
}

/** The graph that the runtime makes of the model on this machine. */
export async function optimised(
  model: Model | Uint8Array,
  { scratch, provider }: RuntimeOptions,
): Promise<Model> {
  const file = join(scratch, 'optimised.onnx');
  const session = await openSession(model, {
    optimizedModelFilePath: file,
    provider,
    optimize: 'extended',
  });
  await session.release();
  const found = readModel(await readFile(file));
  await rm(file);
  return found;
}
