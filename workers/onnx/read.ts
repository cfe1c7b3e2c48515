/** @file ONNX protobuf → Model. Field numbers are those of onnx.proto (IR version 13). */

import { ServiceError } from '../../src/contract/errors.ts';
import { checkModel } from './check.ts';
import { emptyModel, type Model } from './graph.ts';
import type { ReadLimits } from './limits.ts';
import { GraphReader } from './read-graph.ts';
import type { External } from './read-tensor.ts';
import { plainDomain, readEntry } from './read-type.ts';
import { Budget, Message, unreadable } from './wire.ts';

export interface ReadOptions {
  /** Bytes of an external data file, by its plain name; absent: a model with external data is refused. */
  readonly external?: External;
  readonly limits?: Partial<ReadLimits>;
  /** Also check what must hold of a graph (`checkModel`); default true. */
  readonly check?: boolean;
}

/**
 * Decode a model. Tensors are views into `bytes` (nothing is copied), so keep it unchanged while the model lives.
 * Nodes that stand out of order are sorted; all else keeps its place.
 *
 * @throws MODEL_UNREADABLE not a protobuf, cut short, or not an ONNX model
 * @throws MODEL_TOO_COMPLEX over one of the limits
 * @throws MODEL_INVALID @throws OPSET_UNSUPPORTED the graph is none that can be worked on, naming the node or value
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  const budget = new Budget(options.limits);
  if (bytes.length === 0) unreadable('the file is empty');
  if (bytes.length > budget.limits.bytes) {
    throw new ServiceError('MODEL_TOO_COMPLEX', {
      what: 'bytes in the file',
      limit: budget.limits.bytes,
    });
  }
  const model = decode(new Message(bytes, budget), options.external);
  if (options.check !== false) checkModel(model);
  return model;
}

function decode(fields: Message, external: External | undefined): Model {
  try {
    return readFields(fields, external);
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    return unreadable(`it is no valid protobuf (${(error as Error).message})`);
  }
}

function readFields(fields: Message, external: External | undefined): Model {
  const model = emptyModel(0);
  let graph: Message | undefined;
  for (const f of fields) {
    if (f.number === 1) model.irVersion = f.number_();
    else if (f.number === 2) model.producer.name = f.string();
    else if (f.number === 3) model.producer.version = f.string();
    else if (f.number === 4) model.domain = f.string();
    else if (f.number === 5) model.modelVersion = f.int();
    else if (f.number === 6) model.doc = f.string();
    else if (f.number === 7) graph = f.message((m) => m);
    else if (f.number === 8) f.message((m) => readOpset(m, model.opsets));
    else if (f.number === 14) f.message((m) => readEntry(m, model.metadata));
    else if (f.number === 25) model.functions.push(f.bytes());
    else fields.keep();
  }
  if (graph === undefined || model.irVersion === 0)
    return unreadable('it has no graph or no IR version: this is another kind of file');
  model.graph = new GraphReader(external).graph(graph, undefined);
  if (fields.rest) model.rest = fields.rest;
  return model;
}

function readOpset(fields: Message, opsets: Record<string, number>): void {
  let domain = '';
  let version = 0;
  for (const f of fields) {
    if (f.number === 1) domain = plainDomain(f.string());
    else if (f.number === 2) version = f.number_();
  }
  opsets[domain] = version;
}
