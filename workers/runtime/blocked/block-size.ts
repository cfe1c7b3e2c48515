/** @file How many channels this machine's runtime puts into one block. */

import { GraphBuilder } from '../../onnx/builder.ts';
import { emptyModel, Value } from '../../onnx/graph.ts';
import { openSession } from '../session.ts';
import { BLOCKED_DOMAIN } from './layout.ts';

let known: Promise<number | undefined> | undefined;

/**
 * Channels per block (16 with AVX-512, 8 with AVX2); undefined where the runtime has no blocked ops, or none worth using.
 * Asked of it once: four channels that are reordered fill one block.
 */
export function blockSize(): Promise<number | undefined> {
  known ??= measured();
  return known;
}

async function measured(): Promise<number | undefined> {
  const model = emptyModel(10, 21);
  model.opsets[BLOCKED_DOMAIN] = 1;
  const x = new Value('x', { kind: 'tensor', dtype: 'float32', shape: [1, 4, 1, 1] });
  const g = new GraphBuilder(model.graph);
  model.graph.inputs = [x];
  model.graph.outputs = [g.op('ReorderInput', [x], [1, 4, 1, 1])];
  model.graph.nodes[0]!.domain = BLOCKED_DOMAIN;
  try {
    const session = await openSession(model);
    const results = await session.run({ x: { dims: [1, 4, 1, 1], data: new Float32Array(4) } });
    await session.release();
    const channels = Object.values(results)[0]!.dims[1]!;
    return channels > 1 ? channels : undefined;
  } catch {
    return undefined;
  }
}
