/** @file Zoo graphs with weights: stripped tensors are filled by the rule of the zoo's README. */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import type { Graph, Model, Value } from '../../workers/onnx/graph.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { Tensor } from '../../workers/onnx/tensor.ts';
import type { ZooEntry } from './shared-data.ts';

/** The file as it lies there: big float weights are zeros. */
export const zooBytes = (entry: ZooEntry): Uint8Array => gunzipSync(readFileSync(entry.path));

/** The model with seeded weights, so that its outputs depend on its input. */
export function filledZooModel(entry: ZooEntry): Model {
  const model = readModel(zooBytes(entry));
  const values = constantsOf(model.graph);
  for (const { name, dims, mean, std } of entry.zeroed) {
    const value = values.get(name);
    if (value === undefined) throw new Error(`${entry.name}: no initializer '${name}' to fill`);
    const size = dims.reduce((n, d) => n * d, 1);
    value.constant = Tensor.float32(dims, normals(hash(name) ^ entry.seed, size, mean, std));
  }
  return model;
}

function constantsOf(graph: Graph): Map<string, Value> {
  return new Map(graph.initializers.map((value) => [value.name, value]));
}

/** mean + std · z, z by Box and Muller from pairs of draws in double precision. */
function normals(seed: number, size: number, mean: number, std: number): Float32Array {
  const draw = mulberry32(seed);
  const out = new Float32Array(size);
  for (let i = 0; i < size; i += 2) {
    const u = (draw() + 0.5) / 2 ** 32;
    const v = (draw() + 0.5) / 2 ** 32;
    const radius = Math.sqrt(-2 * Math.log(u));
    out[i] = mean + std * radius * Math.cos(2 * Math.PI * v);
    if (i + 1 < size) out[i + 1] = mean + std * radius * Math.sin(2 * Math.PI * v);
  }
  return out;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h;
}

/** 32-bit draws, not divided. */
function mulberry32(seed: number): () => number {
  let s = seed;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
