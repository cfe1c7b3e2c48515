/** @file A second loss beside the task's: what another model says of the same images, weighed anew at every step. */

import type { GradientRule } from '../autodiff/rule.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Model, Node } from '../onnx/graph.ts';
import type { Feed } from '../runtime/session.ts';
import type { TrainBatch } from './batches/messages.ts';
import type { BoundLoss } from './losses/loss.ts';
import type { TrainedTensor } from './parameters.ts';

/** What stands before a run: finds its way into the training graph when that is made. */
export interface Companion {
  /**
   * @param forward the student, batch and sizes fixed; may be rewritten, if its values keep their places in the graph
   * @param task the task's loss; undefined: the labels are none, or no loss fits the model
   * @throws what keeps the two models from being joined
   */
  bind(forward: Model, task: BoundLoss | undefined, batch: number): Promise<BoundCompanion>;
}

export interface BoundCompanion {
  /** The task's loss and the companion's, each times its weight: what is trained. */
  readonly loss: BoundLoss;
  /** Trained along and thrown away at the end. */
  readonly parameters: readonly TrainedTensor[];
  readonly weights: StepWeights;
  /** Nodes that it put into the student and that no runtime knows. */
  readonly nodes?: OwnNodes;
  /** Inputs of the graph that come from the other model. */
  feeds(batch: TrainBatch): Promise<Readonly<Record<string, Feed>>>;
  release(): Promise<void>;
}

/** Nodes that stand for several while gradients are built. */
export interface OwnNodes {
  ruleOf(node: Node): GradientRule | undefined;
  /** Write standard ops in their place, once the graph is whole. */
  writeOut(g: GraphBuilder): void;
}

/** A step without update whose gradient norm is wanted, by the scalars it is run with. */
export interface Probe {
  readonly name: string;
  readonly scalars: Readonly<Record<string, number>>;
}

/** Weights of the losses, as scalars of the graph: a state machine that is kept in every checkpoint. */
export interface StepWeights {
  /** @param labelled whether the task's loss counts in this run */
  scalars(labelled: boolean): Readonly<Record<string, number>>;
  /** @param step from 1 */
  probes(step: number): readonly Probe[];
  /** Norms by the probes' names. */
  probed(norms: Readonly<Record<string, number>>): void;
  /** @param losses the graph's parts of a step that counted @param progress share of the run that is done, 0…1 */
  stepped(losses: Readonly<Record<string, number>>, progress: number): void;
  /** @param student the judge's metric @returns what the curve shows beside it */
  judged(student: number): Readonly<Record<string, number>>;
  /** Weights in force, by the names that people read. */
  shown(): Readonly<Record<string, number>>;
  /** Plain JSON. */
  state(): unknown;
  restore(state: unknown): void;
}
