/** @file The proof of a cut: the pruned model gives what the original gives with the same channels masked to zero. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { findDecodeTail } from '../../onnx/decode-tail.ts';
import { type Model, shapeKnown, type Value } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { comparedValues, isPicked, roundedWeights } from '../../passes/proof.ts';
import { type Cuts, compareParts, cutsOf } from '../../runtime/parts.ts';
import { randomInputs } from '../../runtime/random-inputs.ts';
import { type Feed, type HostTensor, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import type { CutGroup } from './cut.ts';
import { maskModel } from './mask.ts';

/** Largest difference allowed, of the scale of its part. */
export const PRUNING_TOLERANCE = 1e-4;

/**
 * Times the model's own noise that is allowed where that is above the tolerance: scores of 0.001 that a float32 sigmoid
 * gives are exact to a few units in the last place of 1, not of themselves.
 */
const NOISE_FACTOR = 4;

type Feeds = Readonly<Record<string, Feed>>;
type Answers = readonly Readonly<Record<string, HostTensor>>[];

export interface PrunedProofOptions {
  /** Intra-op threads. */
  readonly threads: number;
  /** Of the random inputs that are tried beside the feeds. */
  readonly seed: number;
}

/**
 * Compare every output, and every output of the last trained layers, part by part, on random inputs and on `feeds`:
 * max|pruned − masked| ≤ 1e-4 · max|masked| over each part. Where the masked original itself answers to a rounding of its
 * weights by more than that, by at most four times as much. Outputs behind a picking op (TopK) may differ: what it compares
 * may not.
 *
 * @param original uncut, with inferred types
 * @param report of `cut`
 * @param feeds real inputs
 * @returns the largest error found, as a share of its part's scale
 * @throws INTERNAL the two differ by more: the cut is wrong, and no such model may leave
 */
export async function provePruned(
  original: Model,
  pruned: Model,
  report: readonly CutGroup[],
  feeds: readonly Feeds[],
  { threads, seed }: PrunedProofOptions,
): Promise<{ readonly worst: number }> {
  const judged = judgedValues(original, pruned);
  const cuts = cutsOfAll(original, judged);
  const inputs = [randomInputs(original, seed), ...feeds];
  const run = (model: Model) => answersOf(model, judged, inputs, threads);
  const masked = maskModel(original, report);
  const expected = await run(masked);
  const all = worstOf(expected, await run(pruned), cuts);
  // A different pick among nearly equal scores is no different function: what is compared is judged instead.
  const picked = pickedOutputs(original);
  const errors = all.filter(({ name, error }) => !(picked.has(name) && error > PRUNING_TOLERANCE));
  const beyond = errors.filter(({ error }) => !(error <= PRUNING_TOLERANCE));
  const noise = beyond.length > 0 ? worstOf(expected, await run(roundedWeights(masked)), cuts) : [];
  for (const { name, part, error } of beyond) {
    const own = noise.find((n) => n.name === name)!.error;
    if (!(error <= NOISE_FACTOR * own)) throw differs(name, part, error);
  }
  return { worst: Math.max(0, ...errors.map(({ error }) => error)) };
}

/** Per value the part that differs most in any answer. */
function worstOf(expected: Answers, found: Answers, cuts: ReadonlyMap<string, Cuts>) {
  return [...cuts].map(([name, own]) => {
    const all = expected.map((answer, i) => compareParts(answer[name]!, found[i]![name]!, own));
    return { name, ...all.reduce((worst, e) => (e.error > worst.error ? e : worst)) };
  });
}

const differs = (name: string, part: string, error: number) =>
  new ServiceError('INTERNAL', {
    what: `the pruned model differs from the masked original by ${error.toExponential(1)} of the scale of '${name}' at ${part}; allowed is ${PRUNING_TOLERANCE}`,
  });

/** Outputs, and where the cut left them whole those of the last trained layers and what picking ops compare. */
function judgedValues({ graph }: Model, pruned: Model): Value[] {
  const shapes = new Map(
    pruned.graph.nodes.flatMap((n) => n.outputs).map((y) => [y?.name, `${shapeKnown(y)}`]),
  );
  const last = findDecodeTail(graph).layers.map((node) => node.outputs[0]!);
  const whole = [...last, ...comparedValues(graph)].filter(
    (y) => shapes.get(y.name) === `${shapeKnown(y)}`,
  );
  return [...new Set([...graph.outputs, ...whole])];
}

/** Names of outputs behind a picking op, such as TopK. */
function pickedOutputs({ graph }: Model): ReadonlySet<string> {
  const index = new GraphIndex(graph);
  return new Set(graph.outputs.filter((v) => isPicked(v, index)).map((v) => v.name));
}

function cutsOfAll({ graph }: Model, values: readonly Value[]): ReadonlyMap<string, Cuts> {
  const index = new GraphIndex(graph);
  return new Map(values.map((v) => [v.name, cutsOf(graph, v, index)]));
}

async function answersOf(
  model: Model,
  values: readonly Value[],
  feeds: readonly Feeds[],
  threads: number,
): Promise<Record<string, HostTensor>[]> {
  const names = values.map((v) => v.name);
  const session = await openSession(withOutputs(model, names), { threads });
  try {
    const all = [];
    for (const feed of feeds) all.push(await session.run(feed));
    return all;
  } finally {
    await session.release();
  }
}
