/** @file Outputs and gradients of a small graph at given numbers. */

import { backward } from '../../../workers/autodiff/backward.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { shapeOf } from '../../../workers/onnx/static-shapes.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { caseText, type GradientCase } from './gradient-case.ts';

/** L = Σ y. Gradients under the names of the float inputs, and `y` itself. */
export async function gradientsAt(
  entry: GradientCase,
  at: Readonly<Record<string, readonly number[]>>,
): Promise<Record<string, number[]>> {
  const model = parseText(caseText(entry));
  await inferTypes(model);
  const { graph } = model;
  const g = new GraphBuilder(graph);
  const [y] = graph.outputs;
  const seeds = [{ value: y!, gradient: g.fill(1, shapeOf(y!), y!) }];
  const gradients = backward(graph, seeds, graph.inputs, { g });
  graph.outputs = [y!, ...gradients];
  const session = await openSession(model);
  const feeds = graph.inputs.map((v) => [
    v.name,
    { dims: shapeOf(v), data: Float32Array.from(at[v.name]!) },
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  const named = graph.inputs.map((v, i) => [v.name, gradients[i]!.name]);
  return Object.fromEntries(
    [...named, ['y', y!.name]].map(([name, output]) => [
      name,
      Array.from(results[output!]!.data, Number),
    ]),
  );
}
