/** @file The one door to onnxruntime: open a model, run it, close it. */

import * as ort from 'onnxruntime-node';
import { ServiceError } from '../../src/contract/errors.ts';
import type { DType } from '../onnx/dtype.ts';
import type { Dim, Model } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import type { TypedArray } from '../onnx/values.ts';
import { writeModel } from '../onnx/write.ts';
import { subByteValues } from './sub-byte.ts';

export interface SessionOptions {
  /** Intra-op threads; default 1. */
  readonly threads?: number;
  /** onnxruntime execution provider; default 'cpu'. */
  readonly provider?: string;
  /** Graph optimisations of the runtime; default 'all'. */
  readonly optimize?: 'all' | 'extended' | 'basic' | 'disabled';
  /** Let idle threads spin: quicker alone, harmful beside other sessions; default false. */
  readonly spinning?: boolean;
  /** Plan memory ahead from the first run: default true. Large graphs that run with other sizes each time need a third less without. */
  readonly memoryPattern?: boolean;
  /** Where the runtime writes the graph it made of the model. */
  readonly optimizedModelFilePath?: string;
}

/** A tensor on this machine; `data` is row-major. */
export interface HostTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

/** What `run` takes: float32 where no type is named. */
export type Feed = {
  readonly dims: readonly number[];
  readonly data: TypedArray | Float32Array;
  readonly dtype?: DType;
};

export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export class Session {
  readonly #session: ort.InferenceSession;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];

  constructor(session: ort.InferenceSession) {
    this.#session = session;
    this.inputs = session.inputMetadata.map(port);
    this.outputs = session.outputMetadata.map(port);
  }

  /**
   * One inference. Blocks this thread although it returns a promise.
   *
   * @param fetch names of the outputs wanted; default all
   * @throws MODEL_CANNOT_RUN with the runtime's own words
   */
  async run(
    feeds: Readonly<Record<string, Feed>>,
    fetch?: readonly string[],
  ): Promise<Record<string, HostTensor>> {
    try {
      const tensors = Object.fromEntries(
        Object.entries(feeds).map(([name, feed]) => [name, toRuntime(feed)]),
      );
      const results = await (fetch
        ? this.#session.run(tensors, fetch)
        : this.#session.run(tensors));
      return Object.fromEntries(
        Object.entries(results).map(([name, t]) => [
          name,
          { dtype: t.type as DType, dims: t.dims, data: fromRuntime(t.data) },
        ]),
      );
    } catch (error) {
      throw cannotRun(error);
    }
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/**
 * Give the memory of results back at once; their data is empty afterwards. It lies outside V8's heap, which does not
 * feel it: left to the garbage collector, the results of several runs pile up.
 */
export function freeResults(results: Readonly<Record<string, HostTensor>>): void {
  for (const { data } of Object.values(results))
    if (data.buffer instanceof ArrayBuffer && !data.buffer.detached) data.buffer.transfer(0);
}

/**
 * @param model a Model (canonical or as read) or encoded bytes
 * @throws MODEL_CANNOT_RUN the runtime refuses the graph, with its own words
 */
export async function openSession(
  model: Model | Uint8Array,
  options: SessionOptions = {},
): Promise<Session> {
  const {
    threads = 1,
    provider = 'cpu',
    optimize = 'all',
    spinning = false,
    memoryPattern = true,
    optimizedModelFilePath,
  } = options;
  refuseAbortingOutputs(model instanceof Uint8Array ? readModel(model, { check: false }) : model);
  const bytes = model instanceof Uint8Array ? model : writeModel(model);
  try {
    return new Session(
      await ort.InferenceSession.create(bytes, {
        executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: optimize,
        logSeverityLevel: 4,
        enableMemPattern: memoryPattern,
        extra: { session: { intra_op: { allow_spinning: spinning ? '1' : '0' } } },
        ...(optimizedModelFilePath && { optimizedModelFilePath }),
      }),
    );
  } catch (error) {
    throw cannotRun(error);
  }
}

/**
 * float16 goes in as its bits: the native side knows no Float16Array, and the JavaScript side makes one of every
 * tensor that says float16 when it is built.
 */
function toRuntime({ dtype = 'float32', data, dims }: Feed): ort.Tensor {
  if (dtype !== 'float16') return new ort.Tensor(dtype as 'float32', data as Float32Array, dims);
  const tensor = new ort.Tensor('uint16', data as Uint16Array, dims);
  return Object.defineProperty(tensor, 'type', { value: 'float16' }) as ort.Tensor;
}

/** float16 comes out as its bits, as `valuesOf` has them. */
function fromRuntime(data: ort.Tensor['data']): TypedArray {
  if (Object.prototype.toString.call(data) !== '[object Float16Array]') return data as TypedArray;
  const { buffer, byteOffset, byteLength } = data as Uint16Array<ArrayBuffer>;
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

/** onnxruntime-node aborts the whole process over a 2- or 4-bit output, so it never sees one. */
function refuseAbortingOutputs(model: Model): void {
  const unreturnable = subByteValues(model.graph);
  const output = model.graph.outputs.find((v) => unreturnable.has(v));
  if (output)
    throw new ServiceError('MODEL_CANNOT_RUN', {
      why: `output '${output.name}' has elements of 2 or 4 bits, which onnxruntime-node cannot return`,
    });
}

function port(meta: ort.InferenceSession.ValueMetadata): Port {
  if (!meta.isTensor) return { name: meta.name, dtype: 'float32', shape: [] };
  return {
    name: meta.name,
    dtype: meta.type as DType,
    shape: meta.shape.map((d) => (typeof d === 'string' ? d || null : d < 0 ? null : d)),
  };
}

/** The runtime's message, without paths of this machine. Node names look like paths too, and stay. */
function cannotRun(error: unknown): ServiceError {
  const text = error instanceof Error ? error.message : String(error);
  const why = text
    .replace(/(?:\/[\w.@+-]+)+\/([\w.-]+\.(?:cc|cpp|h|so|onnx|data|bin|node)\b)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/\.$/, '');
  return new ServiceError('MODEL_CANNOT_RUN', { why: why.slice(0, 600) }, { cause: error });
}
