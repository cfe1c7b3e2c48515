/** @file The proof of a cut: the pruned model gives what the original gives with the same channels masked to zero. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { findDecodeTail } from '../../onnx/decode-tail.ts';
import { type Model, shapeKnown, type Value } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { comparedValues, isPicked, roundedWeights } from '../../passes/proof.ts';
import { type Cuts, cutsOf, errorsOfParts, type PartError } from '../../runtime/parts.ts';
import { randomInputs } from '../../runtime/random-inputs.ts';
import { type Feed, type HostTensor, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import type { CutGroup } from './cut.ts';
import { maskModel } from './mask.ts';
import { sharedPicks, withGiven } from './pinned-picks.ts';

/** Largest difference allowed, of the scale of its part. */
export const PRUNING_TOLERANCE = 1e-4;

/** Times its own noise that a part may differ where that noise is above the tolerance. */
const NOISE_FACTOR = 4;
/** More than this no noise excuses. */
const MOST_NOISE = 1e-2;

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
 * max|pruned − masked| ≤ 1e-4 · max|masked| over each part.
 *
 * A float32 sigmoid is exact to units in the last place of 1, so scores of 0.000001 are noise in their second digit whatever made
 * them. Where a part of the masked original itself answers to a rounding of its weights by more than the tolerance, that part may differ
 * by four times as much: without a bound where all last trained layers before it meet the tolerance (a wrong cut would show
 * there, and what follows is the same in both), else by a hundredth at most. What picking ops (TopK) return is given to the pruned
 * model as the masked original picked it, so that what lies behind can be compared; what they compare is judged too.
 *
 * @param original uncut, with inferred types
 * @param report of `cut`
 * @param feeds real inputs
 * @returns the largest error found, as a share of its part's scale, of all parts but those of noisy outputs behind proved layers
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
  const masked = maskModel(original, report);
  const picks = sharedPicks(original, pruned);
  const names = judged.map((v) => v.name);
  const expected = await answersOf(masked, [...names, ...picks], inputs, threads);
  const pinned = inputs.map((feed, i) => ({ ...feed, ...only(picks, expected[i]!) }));
  const run = (model: Model) => answersOf(withGiven(model, picks), names, pinned, threads);
  const all = worstParts(expected, await run(pruned), cuts);
  // A different pick among nearly equal scores is no different function: what is compared is judged instead.
  const picked = pickedOutputs(withGiven(original, picks));
  const errors = all.filter(({ name, error }) => !(picked.has(name) && error > PRUNING_TOLERANCE));
  const beyond = errors.filter(({ error }) => !(error <= PRUNING_TOLERANCE));
  if (beyond.length === 0) return { worst: largest(errors) };
  const noise = worstParts(expected, await run(roundedWeights(masked)), cuts);
  const proved = provedBefore(original, errors);
  for (const { name, part, error } of beyond) {
    const own = noise.find((n) => n.name === name && n.part === part)!.error;
    const most = proved.has(name) ? Number.POSITIVE_INFINITY : MOST_NOISE;
    if (!(error <= Math.min(most, NOISE_FACTOR * own))) throw differs(name, part, error);
  }
  return { worst: largest(errors.filter((e) => !(beyond.includes(e) && proved.has(e.name)))) };
}

const only = (names: readonly string[], answers: Answers[number]): Feeds =>
  Object.fromEntries(names.map((name) => [name, answers[name]!]));

interface JudgedPart extends PartError {
  /** Of the value. */
  readonly name: string;
}

const largest = (errors: readonly JudgedPart[]) => Math.max(0, ...errors.map(({ error }) => error));

/** Every part of every value, with its largest error in any answer. */
function worstParts(
  expected: Answers,
  found: Answers,
  cuts: ReadonlyMap<string, Cuts>,
): JudgedPart[] {
  return [...cuts].flatMap(([name, own]) => {
    const parts = new Map<string, number>();
    for (const [i, answer] of expected.entries())
      for (const { part, error } of errorsOfParts(answer[name]!, found[i]![name]!, own))
        if (!(error <= (parts.get(part) ?? -1))) parts.set(part, error);
    return [...parts].map(([part, error]) => ({ name, part, error }));
  });
}

/** Outputs that lie behind last trained layers, all of which were judged and are within the tolerance in every part. */
function provedBefore({ graph }: Model, errors: readonly JudgedPart[]): ReadonlySet<string> {
  const judged = new Set(errors.map(({ name }) => name));
  const failed = new Set(
    errors.filter(({ error }) => !(error <= PRUNING_TOLERANCE)).map(({ name }) => name),
  );
  const index = new GraphIndex(graph);
  const proved = graph.outputs.filter((output) => {
    const layers = findDecodeTail(graph, [output], index).layers.map((n) => n.outputs[0]!.name);
    return (
      layers.length > 0 &&
      layers.every((name) => name !== output.name && judged.has(name) && !failed.has(name))
    );
  });
  return new Set(proved.map(({ name }) => name));
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
  names: readonly string[],
  feeds: readonly Feeds[],
  threads: number,
): Promise<Record<string, HostTensor>[]> {
  const session = await openSession(withOutputs(model, names), { threads });
  try {
    const all = [];
    for (const feed of feeds) all.push(await session.run(feed));
    return all;
  } finally {
    await session.release();
  }
}
