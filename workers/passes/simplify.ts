/** @file The driver of the passes: rounds until nothing changes, a proof after each pass, a way back from each. */

import { ServiceError } from '../../src/contract/errors.ts';
import { checkModel } from '../onnx/check.ts';
import { cloneModel } from '../onnx/clone.ts';
import type { Graph, Model, ValueType } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { sortNodes } from '../onnx/topological.ts';
import { writeModel } from '../onnx/write.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import type { Pass } from './pass.ts';
import { Proof, type Verdict } from './proof.ts';
import { PASSES } from './registry.ts';

export interface SimplifyOptions {
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, doing: string) => void;
  /** Default: all of registry.ts. */
  readonly passes?: Readonly<Record<string, Pass>>;
  /** Let the result be larger than the model given, where that spares work (a new input size asks for larger grids). */
  readonly mayGrow?: boolean;
}

export interface AppliedPass {
  readonly pass: string;
  readonly summary: string;
  readonly changes: number;
  /** Largest error of any part of any output after the pass, of the part's scale. */
  readonly maxError: number;
}

export interface Simplified {
  readonly model: Model;
  readonly applied: readonly AppliedPass[];
  /** Passes whose result was thrown away, and why. */
  readonly rolledBack: readonly { readonly pass: string; readonly why: string }[];
  readonly declined: readonly {
    readonly pass: string;
    readonly where: string;
    readonly why: string;
  }[];
  readonly nodes: { readonly before: number; readonly after: number };
  readonly bytes: { readonly before: number; readonly after: number };
}

/** Rounds after which a set of passes that undo each other is stopped. */
const MOST_ROUNDS = 12;
/** Share of the constants' bytes that folding may add. */
const ALLOWANCE = 0.01;
/** Bytes it may add where the file may grow. */
const GROWTH = 2 ** 24;

/**
 * Rewrite a model into a smaller one that computes the same: all passes in order, again until a round changes nothing.
 *
 * After every pass that changed something the outputs must agree with the given model's on seeded random inputs to 1e-5 of
 * scale, part by part; else the pass is rolled back, left out from then on and reported. The file never grows.
 *
 * @param model left as it is
 * @throws MODEL_CANNOT_RUN the runtime refuses the model as it came
 */
export async function simplify(model: Model, options: SimplifyOptions = {}): Promise<Simplified> {
  const weights = model.graph.initializers.reduce((n, v) => n + (v.constant?.bytes.length ?? 0), 0);
  if (options.mayGrow) return attempt(model, options, GROWTH);
  const generous = await attempt(model, options, ALLOWANCE * weights);
  if (generous.bytes.after <= generous.bytes.before) return generous;
  const strict = await attempt(model, options, 0);
  if (strict.bytes.after <= strict.bytes.before) return strict;
  const { before } = strict.bytes;
  return {
    ...strict,
    model: cloneModel(model),
    applied: [],
    nodes: { before: strict.nodes.before, after: strict.nodes.before },
    bytes: { before, after: before },
  };
}

async function attempt(
  model: Model,
  options: SimplifyOptions,
  allowance: number,
): Promise<Simplified> {
  const run = new Run(model, options, allowance);
  return run.toEnd();
}

class Run {
  readonly #given: Model;
  readonly #options: SimplifyOptions;
  readonly #allowance: number;
  readonly #applied = new Map<string, AppliedPass>();
  readonly #rolledBack = new Map<string, string>();
  readonly #declined = new Map<string, { pass: string; where: string; why: string }>();
  #model: Model;

  constructor(given: Model, options: SimplifyOptions, allowance: number) {
    this.#given = given;
    this.#model = cloneModel(given);
    this.#options = options;
    this.#allowance = allowance;
  }

  async toEnd(): Promise<Simplified> {
    const { seed = 0, threads = 1 } = this.#options;
    const passes: Readonly<Record<string, Pass>> = this.#options.passes ?? PASSES;
    const before = writeModel(this.#given).length;
    await inferTypes(this.#model);
    const proof = await Proof.of(this.#model, { seed, threads });
    const names = Object.keys(passes);
    for (let round = 0, changed = true; changed && round < MOST_ROUNDS; round++) {
      changed = false;
      for (const [i, name] of names.entries()) {
        this.#options.signal?.throwIfAborted();
        this.#options.progress?.(1 - 2 ** -(round + i / names.length), passes[name]!.summary);
        if (!this.#rolledBack.has(name))
          changed = (await this.#apply(name, passes[name]!, proof)) || changed;
      }
    }
    const after = await this.#finish(proof);
    return {
      model: this.#model,
      applied: [...this.#applied.values()],
      rolledBack: [...this.#rolledBack].map(([pass, why]) => ({ pass, why })),
      declined: [...this.#declined.values()],
      nodes: { before: this.#given.graph.nodes.length, after: this.#model.graph.nodes.length },
      bytes: { before, after },
    };
  }

  /** @returns whether the pass changed something and was proved */
  async #apply(name: string, pass: Pass, proof: Proof): Promise<boolean> {
    const candidate = cloneModel(this.#model);
    const known = this.#applied.get(name);
    try {
      const changes = await pass.run(candidate, {
        threads: this.#options.threads ?? 1,
        allowance: this.#allowance,
        decline: (where, why) => this.#declined.set(`${name} ${where}`, { pass: name, where, why }),
      });
      if (changes === 0) return false;
      sortNodes(candidate.graph);
      checkModel(candidate);
      const verdict = await proof.judge(candidate);
      if (!verdict.proved) {
        this.#rolledBack.set(name, describe(verdict));
        return false;
      }
      await inferTypes(candidate);
      this.#model = candidate;
      this.#applied.set(name, {
        pass: name,
        summary: pass.summary,
        changes: changes + (known?.changes ?? 0),
        maxError: Math.max(verdict.error, known?.maxError ?? 0),
      });
      return true;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.#rolledBack.set(name, error.message);
      return false;
    }
  }

  /** The file to be: inner types left to be inferred, and one last proof on what a reader gets. */
  async #finish(proof: Proof): Promise<number> {
    const { graph } = this.#model;
    const dropped = leaveTypesToInference(graph, this.#given.graph);
    const held = new Set(graph.inputs);
    if (graph.initializers.some((v) => !held.has(v)))
      this.#model.irVersion = Math.max(this.#model.irVersion, 4);
    const bytes = writeModel(this.#model);
    const verdict = await proof.judge(readModel(bytes));
    if (!verdict.proved)
      throw new ServiceError('INTERNAL', { what: `the simplified file: ${describe(verdict)}` });
    if (dropped > 0)
      this.#applied.set('dropInnerTypes', {
        pass: 'dropInnerTypes',
        summary: 'leave types of inner values to be inferred',
        changes: dropped,
        maxError: verdict.error,
      });
    return bytes.length;
  }
}

/**
 * Inner values lose their types: every runtime infers them again. Types around nodes of other domains stay as the file
 * had them: not everybody knows those ops. Outputs are declared as they were.
 *
 * @returns how many declarations of the file went
 */
function leaveTypesToInference(graph: Graph, given: Graph): number {
  const declared = new Map<string, ValueType | undefined>();
  for (const v of given.outputs) declared.set(v.name, v.type);
  for (const node of given.nodes) for (const y of node.outputs) if (y) declared.set(y.name, y.type);
  let dropped = 0;
  for (const node of graph.nodes) {
    for (const y of node.outputs) {
      if (!y) continue;
      const keep = graph.outputs.includes(y) || node.domain !== '' || y.type?.kind === 'opaque';
      if (!keep && declared.get(y.name)) dropped++;
      y.type = keep ? declared.get(y.name) : undefined;
    }
  }
  return dropped;
}

const describe = ({ error, value, part }: Verdict) =>
  `'${value}' differs by ${error.toExponential(1)} of its scale at ${part}`;
