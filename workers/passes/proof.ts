/** @file The proof of a rewrite: the outputs before and after, on the same random inputs. */

import { cloneModel } from '../onnx/clone.ts';
import type { Graph, Model, Node, Value } from '../onnx/graph.ts';
import { Tensor } from '../onnx/tensor.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { floatsOf } from '../onnx/values.ts';
import { type Cuts, compareParts, cutsOf, type PartError } from '../runtime/parts.ts';
import { random } from '../runtime/random.ts';
import { randomInputs } from '../runtime/random-inputs.ts';
import { type Feed, type HostTensor, openSession } from '../runtime/session.ts';
import { withOutputs } from '../runtime/taps.ts';

/** Largest difference allowed, of the scale of its part. */
export const TOLERANCE = 1e-5;

/**
 * Times the model's own noise that is allowed where the noise is above the tolerance. A rewrite that stores weights anew
 * rounds each, and sums in another order: together about as much as a unit in the last place of every weight.
 */
const NOISE_FACTOR = 2;

/** The second draw gives open axes other sizes: a batch of 1 hides what a rewrite did to it. */
const OTHER_SIZES = { batch: 2, height: 160, width: 224 };

/** Ops that pick: rounding noise in what they compare may change what they return altogether. */
const PICKING = /^(TopK|ArgMax|ArgMin|NonMaxSuppression|Unique|NonZero|Hardmax)$/;

/** Whether a node chooses among what it compares. */
export const isPicking = ({ op, domain }: Node): boolean => domain === '' && PICKING.test(op);

export interface Verdict extends PartError {
  readonly proved: boolean;
  /** Output, or value that a picking op compares, where the error is largest. */
  readonly value: string;
}

export interface ProofOptions {
  readonly seed: number;
  readonly threads: number;
}

/** A model's answers to random inputs, kept to judge rewrites of it. */
export class Proof {
  readonly #feeds: readonly Readonly<Record<string, Feed>>[];
  readonly #answers: readonly Readonly<Record<string, HostTensor>>[];
  readonly #outputs: readonly string[];
  /** Outputs that lie behind a picking op. */
  readonly #picked: ReadonlySet<string>;
  /** What picking ops compare: judged instead of the outputs behind them. */
  readonly #compared: readonly string[];
  readonly #cuts: ReadonlyMap<string, Cuts>;
  readonly #threads: number;
  readonly #model: Model;
  #noise: number | undefined;

  private constructor(
    model: Model,
    feeds: readonly Readonly<Record<string, Feed>>[],
    answers: readonly Readonly<Record<string, HostTensor>>[],
    threads: number,
  ) {
    const { graph } = model;
    const index = new GraphIndex(graph);
    this.#model = cloneModel(model);
    this.#feeds = feeds;
    this.#answers = answers;
    this.#threads = threads;
    this.#outputs = graph.outputs.map((v) => v.name);
    this.#compared = comparedValues(graph).map((v) => v.name);
    this.#picked = new Set(graph.outputs.filter((v) => isPicked(v, index)).map((v) => v.name));
    const judged = [...graph.outputs, ...comparedValues(graph)];
    this.#cuts = new Map(judged.map((v) => [v.name, cutsOf(graph, v, index)]));
  }

  /**
   * Run the model as it stands, without the runtime's own rewrites.
   *
   * @param model with inferred types
   * @throws MODEL_CANNOT_RUN
   */
  static async of(model: Model, options: ProofOptions): Promise<Proof> {
    const judged = [...model.graph.outputs, ...comparedValues(model.graph)];
    const run = (feed: Readonly<Record<string, Feed>>) =>
      answersOf(model, judged, [feed], options.threads);
    const feeds = [randomInputs(model, options.seed)];
    const answers = await run(feeds[0]!);
    const other = randomInputs(model, options.seed + 1, OTHER_SIZES);
    try {
      answers.push(...(await run(other)));
      feeds.push(other);
    } catch {
      // The model does not take these sizes though it leaves them open: the usual ones again.
      feeds.push(randomInputs(model, options.seed + 1));
      answers.push(...(await run(feeds[1]!)));
    }
    return new Proof(model, feeds, answers, options.threads);
  }

  /**
   * Judge a rewritten model: every output within 1e-5 of the scale of each of its parts; where the model itself answers
   * to a rounding of its weights by more than that, within twice what it does.
   */
  async judge(model: Model): Promise<Verdict> {
    const verdict = await this.#compare(model);
    if (verdict.error <= TOLERANCE) return verdict;
    return { ...verdict, proved: verdict.error <= NOISE_FACTOR * (await this.noise()) };
  }

  /** The largest error when every float32 constant is rounded up or down by a unit in the last place. */
  async noise(): Promise<number> {
    this.#noise ??= (await this.#compare(roundedWeights(this.#model))).error;
    return this.#noise;
  }

  async #compare(model: Model): Promise<Verdict> {
    const wanted = [...this.#outputs, ...this.#compared];
    const answers = await answersOf(model, wanted, this.#feeds, this.#threads);
    const worst = (names: readonly string[]) => this.#worst(answers, names);
    const all = worst(this.#outputs);
    if (all.proved || this.#compared.length === 0) return all;
    // A different pick is no different function: judge what was compared, and the outputs that nothing picks.
    const firm = worst(this.#outputs.filter((name) => !this.#picked.has(name)));
    const compared = worst(this.#compared);
    return firm.error > compared.error ? firm : compared;
  }

  #worst(
    answers: readonly Readonly<Record<string, HostTensor>>[],
    names: readonly string[],
  ): Verdict {
    let worst: Verdict = { error: 0, part: '', value: names[0] ?? '', proved: true };
    for (const [i, answer] of answers.entries()) {
      for (const name of names) {
        const now = answer[name];
        const found = now
          ? compareParts(this.#answers[i]![name]!, now, this.#cuts.get(name))
          : { error: Number.POSITIVE_INFINITY, part: 'gone' };
        if (found.error > worst.error)
          worst = { ...found, value: name, proved: found.error <= TOLERANCE };
      }
    }
    return worst;
  }
}

/** Ops whose constants are numbers to compute with: those of others say where and how much (Resize, Pad, TopK). */
const COMPUTING =
  /^(Conv|ConvTranspose|Gemm|MatMul|Add|Sub|Mul|Div|PRelu|(Batch|Instance|Layer|Group|RMS)Normalization)$/;

/** A copy whose float32 weights are each off by about a unit in the last place. */
export function roundedWeights(model: Model): Model {
  const copy = cloneModel(model);
  const rng = random(1);
  const index = new GraphIndex(copy.graph);
  for (const value of copy.graph.initializers) {
    const tensor = value.constant;
    if (tensor?.dtype !== 'float32' || tensor.size < 2) continue;
    if (!index.uses(value).every(({ node }) => COMPUTING.test(node.op))) continue;
    const rounded = floatsOf(tensor).map(
      (w) => w * (1 + (rng.uniform() < 0.5 ? -1 : 1) * 2 ** -23),
    );
    value.constant = Tensor.float32(tensor.dims, rounded);
  }
  return copy;
}

async function answersOf(
  model: Model,
  values: readonly (Value | string)[],
  feeds: readonly Readonly<Record<string, Feed>>[],
  threads: number,
): Promise<Record<string, HostTensor>[]> {
  const session = await openSession(withOutputs(model, values), { threads, optimize: 'disabled' });
  try {
    const answers = [];
    for (const feed of feeds) answers.push(await session.run(feed));
    return answers;
  } finally {
    await session.release();
  }
}

/** Values of float type that picking ops compare. */
export function comparedValues(graph: Graph): Value[] {
  const found = graph.nodes
    .filter(isPicking)
    .flatMap((n) => (n.op === 'NonMaxSuppression' ? n.inputs.slice(0, 2) : n.inputs.slice(0, 1)))
    .filter((v): v is Value => v !== undefined && v.constant === undefined);
  return [...new Set(found)];
}

/** Whether a value lies behind a picking op. */
export function isPicked(output: Value, index: GraphIndex): boolean {
  const seen = new Set<Value>();
  const open = [output];
  while (open.length > 0) {
    const value = open.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    const node = index.producer(value);
    if (!node) continue;
    if (isPicking(node)) return true;
    open.push(...node.inputs.filter((v) => v !== undefined));
  }
  return false;
}
