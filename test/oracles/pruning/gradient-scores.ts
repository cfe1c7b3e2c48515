import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Model, Value } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { removalOrder } from '../../../workers/pruning/criteria/normalize.ts';
import { observe } from '../../../workers/pruning/criteria/observe/observe.ts';
import { lossSource } from '../../../workers/pruning/criteria/sources/loss.ts';
import type {
  Calibration,
  GradientSource,
} from '../../../workers/pruning/criteria/sources/source.ts';
import { squaredChanges } from '../../../workers/pruning/criteria/taylor.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { chooseLoss } from '../../../workers/training/losses/registry.ts';
import { expectClose, type OracleTensor, type Tolerance } from './tolerance.ts';

interface NetworkCase {
  readonly tolerance: Tolerance;
  readonly model: string;
  readonly inputs: Readonly<Record<string, OracleTensor>>;
  readonly tensor: string;
  readonly axis: number;
  readonly score: OracleTensor;
}

/** Whole path: cross-entropy of labels, its gradients in the graph, gates of one tensor. */
export async function taylorNetwork(
  c: NetworkCase & { readonly labels: OracleTensor },
  folder: string,
): Promise<void> {
  const model = await oneSampleModel(join(folder, c.model));
  const binding = bindTask(model, { task: 'classify' });
  const source = lossSource((graph) => {
    return chooseLoss('cross-entropy', graph, binding, { labelled: true, labelSmoothing: 0 }).bound;
  });
  const classes = binding.classes!.length;
  const labels = Array.from(c.labels.data, (label) => {
    const targets = new Float32Array(classes);
    targets[label] = 1;
    return { kind: 'classes', targets } as const;
  });
  const images = samplesOf(c).map((feeds, i) => ({ feeds, labels: labels[i]! }));
  const seen = await gatesOf(model, c, images, source);

  expectClose(squaredChanges(seen, c.score.data.length), c.score, c.tolerance, 'score');
}

interface FisherCase extends NetworkCase {
  readonly cotangents: OracleTensor;
  readonly gates: OracleTensor;
  readonly order: OracleTensor;
}

export async function fisherLabelFree(c: FisherCase, folder: string): Promise<void> {
  const model = await oneSampleModel(join(folder, c.model));
  const images = samplesOf(c).map((feeds) => ({ feeds }));
  const seen = await gatesOf(model, c, images, givenCotangents(c.cotangents));

  const [draws, samples] = c.cotangents.shape as [number, number];
  const inOrder = Array.from({ length: draws }, (_, q) =>
    Array.from({ length: samples }, (_, n) => Array.from(seen[n * draws + q]!)),
  );
  expectClose(inOrder.flat(2), c.gates, c.tolerance, 'gates');
  const sums = squaredChanges(seen, c.score.data.length);
  const scores = sums.map((s) => s / (draws * samples));
  expectClose(scores, c.score, c.tolerance, 'score');
  expect(removalOrder(scores)).toEqual(Array.from(c.order.data));
}

/** The cotangents of a case, [draws, samples, …], at the model's one output: all draws of a sample in turn. */
function givenCotangents({ shape, data }: OracleTensor): GradientSource {
  const [draws, samples, ...rest] = shape as [number, number, ...number[]];
  const size = rest.reduce((n, d) => n * d, 1);
  const dims = [1, ...rest];
  return {
    build(g, { graph }) {
      const [output] = graph.outputs;
      const gradient = new Value(g.name('cotangent'), {
        kind: 'tensor',
        dtype: 'float32',
        shape: dims,
      });
      graph.inputs.push(gradient);
      return {
        seeds: [{ value: output!, gradient }],
        stop: new Set(),
        *runs(_, sample) {
          for (let q = 0; q < draws; q++) {
            const start = (q * samples + sample) * size;
            const slice = Float32Array.from(data.subarray(start, start + size));
            yield { [gradient.name]: { dims, data: slice } };
          }
        },
      };
    },
  };
}

/** The file's model with a batch of one, so that gradients are those of single samples. */
async function oneSampleModel(file: string): Promise<Model> {
  const model = readModel(await readFile(file));
  for (const value of [...model.graph.inputs, ...model.graph.outputs])
    if (value.type?.kind === 'tensor' && value.type.shape)
      value.type = { ...value.type, shape: [1, ...value.type.shape.slice(1)] };
  return model;
}

async function gatesOf(
  model: Model,
  { tensor, axis }: NetworkCase,
  images: readonly Calibration[],
  source: GradientSource,
): Promise<Float32Array[]> {
  const value = model.graph.nodes.flatMap((n) => n.outputs).find((v) => v?.name === tensor)!;
  const tap = { reduce: 'gate', value, axis } as const;
  const seen: Float32Array[] = [];
  const stream = (async function* () {
    yield* images;
  })();
  await observe(
    model,
    [tap],
    {
      ...{ images: stream, source, threads: 1, provider: 'cpu', onImage: () => {} },
      signal: new AbortController().signal,
    },
    (numbers) => seen.push(Float32Array.from(numbers(tap))),
  );
  return seen;
}

/** The samples of a case's batch, one by one. */
function samplesOf({ inputs }: NetworkCase) {
  const [[name, { shape, data }]] = Object.entries(inputs) as [[string, OracleTensor]];
  const size = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, n) => ({
    [name]: {
      dims: [1, ...shape.slice(1)],
      data: Float32Array.from(data.subarray(n * size, (n + 1) * size)),
    },
  }));
}
