/** @file ONNX's own node tests, read from the archive that the shared data names. */

import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

import type { DType } from '../../../workers/onnx/dtype.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { readTensor } from '../../../workers/onnx/read-tensor.ts';
import type { Tensor } from '../../../workers/onnx/tensor.ts';
import { valuesOf } from '../../../workers/onnx/values.ts';
import { Budget, Message } from '../../../workers/onnx/wire.ts';
import type { Feed } from '../../../workers/runtime/session.ts';

export interface ConformanceCase {
  /** node, simple, pytorch-operator, pytorch-converted, light */
  readonly set: string;
  readonly name: string;
  readonly model: Uint8Array;
  /** Encoded inputs of the first data set, in order. */
  readonly inputs: readonly Uint8Array[];
}

const PATH = /\/test\/data\/([^/]+)\/(.+)$/;

export async function readConformanceCases(archive: string): Promise<ConformanceCase[]> {
  const files = new Map<string, Uint8Array>();
  const entries = createReadStream(archive).pipe(createGunzip()).pipe(extract());
  for await (const entry of entries) {
    const path = PATH.exec(`/${entry.header.name}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry) chunks.push(chunk as Uint8Array);
    if (path && /\.(onnx|pb)$/.test(path[2]!))
      files.set(`${path[1]}/${path[2]}`, new Uint8Array(Buffer.concat(chunks)));
  }
  return [...files]
    .filter(([path]) => path.endsWith('.onnx'))
    .map(([path, model]) => {
      const [set, folder = ''] = path.split('/') as [string, string];
      const input = (i: number) => files.get(`${set}/${folder}/test_data_set_0/input_${i}.pb`);
      const inputs: Uint8Array[] = [];
      for (let i = 0; input(i); i++) inputs.push(input(i)!);
      return { set, name: folder.replace(/\.onnx$/, ''), model, inputs };
    });
}

/** The inputs by name; undefined where one is no tensor, or of a type that the Node binding cannot take. */
export function feedsOf(
  { inputs }: ConformanceCase,
  model: Model,
): Record<string, Feed> | undefined {
  const free = model.graph.inputs.filter((v) => !v.constant);
  if (free.some((v) => v.type?.kind !== 'tensor' || !FEEDABLE.has(v.type.dtype))) return undefined;
  return Object.fromEntries(
    inputs.map((bytes, i) => {
      const tensor = readTensor(new Message(bytes, new Budget()), undefined);
      return [free[i]!.name, { dtype: tensor.dtype, dims: tensor.dims, data: dataOf(tensor) }];
    }),
  );
}

const FEEDABLE: ReadonlySet<DType> = new Set([
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
  'string',
]);

function dataOf(tensor: Tensor): Feed['data'] {
  if (tensor.strings === undefined) return valuesOf(tensor);
  return tensor.strings.map((s) => Buffer.from(s).toString('utf8')) as unknown as Feed['data'];
}
