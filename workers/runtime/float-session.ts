/** @file A session of a model as callers know it: float32 in and out, whatever its own ports hold. */

import { floatFace, IO_KEY } from '../onnx/float-face.ts';
import type { Model } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';

export async function openFloatSession(
  model: Model | Uint8Array,
  options: SessionOptions = {},
): Promise<Session> {
  const read = model instanceof Uint8Array ? readModel(model, { check: false }) : model;
  return openSession(read.metadata[IO_KEY] === undefined ? model : floatFace(read), options);
}
