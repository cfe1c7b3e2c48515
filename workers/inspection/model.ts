/** @file What a model file is, before anybody works on it. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { ModelInfo, Trainability } from '../../src/contract/inspection.ts';
import { digestOf } from '../data/load-model.ts';
import { checkModel } from '../onnx/check.ts';
import { countMacs, countParams } from '../onnx/cost.ts';
import type { Graph, Model, Value } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { weightIndex } from '../onnx/trained.ts';
import { quantizedForm } from '../quantization/eligibility.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { bindTask } from '../tasks/registry.ts';
import { trainability } from '../training/trainable.ts';
import { coarseScores } from './coarse-scores.ts';
import { inspectGroups, type RefusedInfo } from './groups.ts';

/** ModelInfo of the contract, and what people ask next. */
export type FullModelInfo = ModelInfo & {
  readonly training: Trainability;
  readonly head: string;
  readonly classes: readonly string[] | null;
  readonly preprocess: object;
  readonly inputSize: readonly [number, number] | null;
  readonly opset: number | null;
  readonly irVersion: number;
  readonly producer: string;
  /** In words; null: a float model. */
  readonly quantized: string | null;
  /** Element types of the weights, with their numbers of elements. */
  readonly weightTypes: Readonly<Record<string, number>>;
  /** Number of weights that `quantize` can turn into integers. */
  readonly quantizable: number;
  /** What `prune` could cut: `inspectGroups` tells all of it. */
  readonly pruning:
    | {
        /** Groups of channels that can be cut. */
        readonly groups: number;
        /** Channels in them. */
        readonly channels: number;
        readonly refused: readonly RefusedInfo[];
      }
    | { readonly why: string };
  readonly metadata: Readonly<Record<string, string>>;
};

/**
 * Read, check and load a model as a job would, without running it.
 *
 * @throws MODEL_UNREADABLE · MODEL_INVALID · MODEL_TOO_COMPLEX · OPSET_UNSUPPORTED · MODEL_CANNOT_RUN
 */
export async function inspectModel(bytes: Uint8Array, name?: string): Promise<FullModelInfo> {
  const model = readModel(bytes);
  checkModel(model);
  const binding = bindTask(model);
  const ops = countOps(model.graph);
  const inputs = ports(model.graph.inputs.filter((v) => !v.constant));
  const training = await trainability(model);
  const pruning = await pruningOf(model);
  await inferTypes(model);
  const macs = Math.round(countMacs(model));
  const quantized = quantizedForm(model.graph) ?? null;
  const dynamic = inputs.some((p) => p.shape.some((d) => typeof d !== 'number'));
  const info = {
    id: digestOf(bytes),
    name: name ?? null,
    bytes: bytes.length,
    task: binding.task,
    inputs,
    outputs: ports(model.graph.outputs),
    params: countParams(model),
    macs: dynamic ? null : macs,
    training,
    pruning,
    ops,
    head: binding.description,
    classes: binding.classes ?? null,
    preprocess: binding.preprocess,
    inputSize: binding.input ? binding.inputSize : null,
    opset: model.opsets[''] ?? null,
    irVersion: model.irVersion,
    producer: `${model.producer.name} ${model.producer.version}`.trim(),
    quantized,
    weightTypes: weightTypes(model.graph),
    quantizable: quantizableTensors(model).length,
    metadata: model.metadata,
  };
  return { ...info, warnings: [...binding.notes, ...warningsOf(model, info)] };
}

async function pruningOf(model: Model): Promise<FullModelInfo['pruning']> {
  const found = await inspectGroups(model);
  if ('why' in found) return found;
  const channels = found.groups.reduce((n, group) => n + group.channels, 0);
  return { groups: found.groups.length, channels, refused: found.refused };
}

/** Names of the weights that `quantize` can turn into integers; none of a model that is quantized already. */
export function quantizableTensors({ graph }: Model): string[] {
  if (quantizedForm(graph)) return [];
  const weights = graph.nodes.flatMap((node) => {
    const index = weightIndex(node);
    const weight = index === undefined ? undefined : node.inputs[index];
    return weight?.constant?.dtype === 'float32' ? [weight.name] : [];
  });
  return [...new Set(weights)];
}

function countOps(graph: Graph): Record<string, number> {
  const ops: Record<string, number> = {};
  for (const { op, domain } of graph.nodes) {
    const name = domain ? `${domain}.${op}` : op;
    ops[name] = (ops[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(ops).sort(([, a], [, b]) => b - a));
}

function ports(values: readonly Value[]): ModelInfo['inputs'] {
  return values.map(({ name, type }) =>
    type?.kind === 'tensor'
      ? { name, dtype: type.dtype, shape: [...(type.shape ?? [])] }
      : { name, dtype: type ? 'other' : 'unknown', shape: [] },
  );
}

function weightTypes(graph: Graph): Record<string, number> {
  const types: Record<string, number> = {};
  for (const { constant } of graph.initializers) {
    if (constant) types[constant.dtype] = (types[constant.dtype] ?? 0) + constant.size;
  }
  return types;
}

function warningsOf(
  model: Model,
  info: Pick<FullModelInfo, 'quantized' | 'weightTypes' | 'inputs' | 'task' | 'head'>,
): string[] {
  const warnings: string[] = [];
  if (info.quantized) {
    warnings.push(
      `The model is quantized already (${info.quantized}). It can be evaluated, benchmarked and simplified; quantize needs the float32 model it was made from.`,
    );
    warnings.push(...coarseScores(model));
  }
  const other = Object.keys(info.weightTypes).filter(
    (t) => t === 'float16' || t === 'bfloat16' || t === 'float64',
  );
  if (other.length > 0) {
    warnings.push(
      `Weights are ${other.join(' and ')}. It can be evaluated, benchmarked and simplified; quantize needs float32.`,
    );
  }
  for (const port of info.inputs) {
    const open = port.shape.filter((d) => typeof d !== 'number');
    if (open.length > 0) {
      warnings.push(
        `Input '${port.name}' has dynamic axes (${open.map((d) => d ?? '?').join(', ')}): simplify's option inputShape fixes them.`,
      );
    }
  }
  if (model.graph.nodes.some((n) => n.op === 'If' || n.op === 'Loop' || n.op === 'Scan')) {
    warnings.push(
      'The graph has control flow (If, Loop or Scan): stages leave what is inside as it is.',
    );
  }
  return warnings;
}

/** The code and facts of whatever inspection threw; other errors are Lathe's own fault. */
export function inspectionFailure(error: unknown): {
  code: string;
  detail: string;
  facts?: unknown;
} {
  if (error instanceof ServiceError)
    return { code: error.code, detail: error.message, facts: error.facts };
  return {
    code: 'INTERNAL',
    detail: `internal: ${error instanceof Error ? error.message : String(error)}`,
  };
}
