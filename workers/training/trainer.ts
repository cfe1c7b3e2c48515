/** @file A training graph at work: it holds the state, takes batches, and gives weights. */

import { plainTransposed } from '../autodiff/transposed-convolutions.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model } from '../onnx/graph.ts';
import { bytesOf, Tensor } from '../onnx/tensor.ts';
import { blockConvolutions } from '../runtime/blocked/lower.ts';
import { type Feed, openSession, type Session } from '../runtime/session.ts';
import type { Labels } from './batches/labels.ts';
import type { TrainBatch } from './batches/messages.ts';
import type { Optimizer, OptimizerOptions } from './optimizers/optimizer.ts';
import { optimizerScalar, SCALARS, type StateTensor } from './step-ports.ts';
import type { TrainGraph } from './train-graph.ts';

export interface TrainerOptions {
  readonly optimizer: Optimizer;
  readonly optimizerOptions: OptimizerOptions;
  readonly threads: number;
  readonly provider: string;
}

export interface StepResult {
  readonly loss: number;
  /** ‖gradient‖ before clipping. */
  readonly norm: number;
  readonly parts: Readonly<Record<string, number>>;
  /** Whether all numbers were finite, and the state moved on. */
  readonly adopted: boolean;
}

/** The state after some step: tensors that are never written to again, so holding one costs no copy. */
export interface Snapshot {
  readonly step: number;
  readonly tensors: ReadonlyMap<string, Feed>;
}

type Images = Pick<TrainBatch, 'images' | 'dims'> & {
  readonly labels: Labels;
  /** What else goes in. */
  readonly feeds?: Readonly<Record<string, Feed>>;
};

export class Trainer {
  readonly #session: Session;
  readonly #graph: TrainGraph;
  readonly #options: TrainerOptions;
  readonly #image: string;
  readonly #inputs: ReadonlySet<string>;
  #state: Snapshot;

  static async open(graph: TrainGraph, image: string, options: TrainerOptions): Promise<Trainer> {
    const { threads, provider } = options;
    if (graph.block !== undefined) blockConvolutions(graph.model, graph.block);
    plainTransposed(new GraphBuilder(graph.model.graph));
    const session = await openSession(graph.model, {
      threads,
      provider,
      spinning: threads > 1,
      memoryPattern: false,
    });
    return new Trainer(session, graph, image, options);
  }

  private constructor(session: Session, graph: TrainGraph, image: string, options: TrainerOptions) {
    this.#session = session;
    this.#graph = graph;
    this.#options = options;
    this.#image = image;
    this.#inputs = new Set(session.inputs.map((p) => p.name));
    const tensors = graph.states.map(
      ({ input, dims, initial }) => [input, { dims, data: initial }] as const,
    );
    this.#state = { step: 0, tensors: new Map(tensors) };
  }

  /** Updates done. */
  get step(): number {
    return this.#state.step;
  }

  snapshot(): Snapshot {
    return this.#state;
  }

  /** A state that was written down: by the names of its inputs. */
  snapshotOf(step: number, tensors: Readonly<Record<string, Float32Array>>): Snapshot {
    const known = this.#graph.states.map(({ input, dims, initial }): [string, Feed] => [
      input,
      { dims, data: tensors[input] ?? initial },
    ]);
    return { step, tensors: new Map(known) };
  }

  restore(snapshot: Snapshot): void {
    this.#state = snapshot;
  }

  /**
   * One update from one batch per accumulated run. Where a number is not finite nothing changes: the state before stays.
   *
   * @param lr learning rate @param emaKeep share of the moving average that stays, 0…1
   */
  async train(batches: readonly Images[], lr: number, emaKeep: number): Promise<StepResult> {
    const step = this.#state.step + 1;
    let tensors = this.#state.tensors;
    const totals = { loss: 0, norm: 0, parts: {} as Record<string, number> };
    for (const [i, batch] of batches.entries()) {
      const scalars = this.#scalars(step, lr, emaKeep, i === batches.length - 1);
      const feeds = { ...this.#images(batch), ...scalars, ...Object.fromEntries(tensors) };
      const results = await this.#session.run(feeds);
      const number = (name: string) => Number(results[name]!.data[0]);
      const { total, norm, parts } = this.#graph.outputs;
      totals.loss += number(total) / batches.length;
      totals.norm = number(norm);
      for (const [name, output] of Object.entries(parts))
        totals.parts[name] = (totals.parts[name] ?? 0) + number(output) / batches.length;
      tensors = new Map(
        this.#graph.states.map(({ input, output }) => [input, results[output]! as Feed]),
      );
    }
    const adopted = Number.isFinite(totals.loss) && Number.isFinite(totals.norm);
    if (adopted) this.#state = { step, tensors };
    return { ...totals, adopted };
  }

  /** ‖gradient‖ of a run that changes nothing. */
  async norm(batch: Images): Promise<number> {
    const { step, tensors } = this.#state;
    const feeds = {
      ...this.#images(batch),
      ...this.#scalars(step + 1, 0, 1, false),
      ...Object.fromEntries(tensors),
    };
    const { norm } = this.#graph.outputs;
    return Number((await this.#session.run(feeds, [norm]))[norm]!.data[0]);
  }

  #images({ images, dims, labels, feeds }: Images): Record<string, Feed> {
    return { [this.#image]: { dims, data: images }, ...this.#graph.loss.feeds(labels), ...feeds };
  }

  #scalars(step: number, lr: number, emaKeep: number, apply: boolean): Record<string, Feed> {
    const { optimizer, optimizerOptions } = this.#options;
    const own = Object.entries(optimizer.scalars(step, optimizerOptions));
    const all: [string, number][] = [
      [SCALARS.lr, lr],
      [SCALARS.emaKeep, emaKeep],
      [SCALARS.apply, apply ? 1 : 0],
      ...own.map(([name, x]): [string, number] => [optimizerScalar(name), x]),
    ];
    const used = all.filter(([name]) => this.#inputs.has(name));
    return Object.fromEntries(
      used.map(([name, x]) => [name, { dims: [], data: Float32Array.of(x) }]),
    );
  }

  /** Write the weights (their moving average where there is one) and statistics into the model's initializers. */
  writeInto(model: Model, { tensors } = this.#state): void {
    const { states } = this.#graph;
    const averaged = states.some((s) => s.kind === 'ema');
    const wanted = new Set<StateTensor['kind']>([averaged ? 'ema' : 'weights', 'statistics']);
    const values = new Map(model.graph.initializers.map((v) => [v.name, v]));
    for (const { kind, input, parts } of states) {
      if (!wanted.has(kind)) continue;
      const flat = tensors.get(input)!.data as Float32Array;
      let at = 0;
      for (const { name, size } of parts) {
        const value = values.get(name);
        if (value?.constant)
          value.constant = new Tensor(
            'float32',
            value.constant.dims,
            bytesOf(flat.slice(at, at + size)),
          );
        at += size;
      }
    }
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
