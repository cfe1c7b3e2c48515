/** @file Zoo graphs as the bytes an exporter would have written, weights included. */

import { readModel } from '../../../workers/onnx/read.ts';
import type { Feed } from '../../../workers/runtime/session.ts';
import type { ZooEntry } from '../../helpers/shared-data.ts';
import { filledZooModel, zooBytes } from '../../helpers/zoo.ts';

/** The zoo's own file, its zeros overwritten in place: nothing of it passed through our writer. */
export function filledZooBytes(entry: ZooEntry): Uint8Array {
  const bytes = new Uint8Array(zooBytes(entry));
  const filled = new Map(filledZooModel(entry).graph.initializers.map((v) => [v.name, v]));
  const views = new Map(readModel(bytes).graph.initializers.map((v) => [v.name, v]));
  for (const { name } of entry.zeroed)
    views.get(name)!.constant!.bytes.set(filled.get(name)!.constant!.bytes);
  return bytes;
}

/** Inputs of the sizes that the manifest runs at, every element `fill(i)`. */
export function zooFeeds(entry: ZooEntry, fill: (i: number) => number): Record<string, Feed> {
  return Object.fromEntries(
    entry.inputs.map(({ name, run_shape: dims }) => {
      const size = dims.reduce((n, d) => n * d, 1);
      return [name, { dims, data: Float32Array.from({ length: size }, (_, i) => fill(i)) }];
    }),
  );
}
