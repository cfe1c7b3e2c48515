/** @file From a model and settings to a trainer that is ready for its first batch. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample } from '../data/dataset.ts';
import type { Model } from '../onnx/graph.ts';
import { blockSize } from '../runtime/blocked/block-size.ts';
import { isLabelled } from '../tasks/labelled.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { batched } from './batched.ts';
import type { BoundCompanion, Companion } from './companion.ts';
import { type ChosenLoss, chooseLoss } from './losses/registry.ts';
import { OPTIMIZERS } from './optimizers/registry.ts';
import { findParameters, type Parameter } from './parameters.ts';
import { Reference } from './reference.ts';
import { decayOf, OPTIMIZER_OPTIONS, type TrainSettings } from './settings.ts';
import { isPruned } from './sparsity.ts';
import { buildTrainGraph } from './train-graph.ts';
import { inputMisfit } from './trainable.ts';
import { Trainer } from './trainer.ts';

export interface Prepared {
  readonly trainer: Trainer;
  /** Undefined: the companion's loss alone is trained. */
  readonly loss: ChosenLoss | undefined;
  readonly companion: BoundCompanion | undefined;
  /** Labels images where the loss needs no labels of the data set. */
  readonly reference: Reference | undefined;
  /** Images of one run, and runs of one step. */
  readonly batch: number;
  readonly accumulate: number;
  /** Elements that are trained, and that stay as they are. */
  readonly parameters: number;
  readonly frozen: number;
  release(): Promise<void>;
}

interface PrepareContext {
  readonly binding: TaskBinding;
  readonly fit: readonly Sample[];
  readonly threads: number;
  readonly provider: string;
  readonly companion?: Companion | undefined;
  info(message: string): void;
}

/** @throws MODEL_NOT_TRAINABLE · LOSS_DOES_NOT_FIT · OP_HAS_NO_GRADIENT · OP_NOT_DIFFERENTIABLE */
export async function prepare(
  model: Model,
  settings: TrainSettings,
  { binding, fit, threads, provider, companion, info }: PrepareContext,
): Promise<Prepared> {
  const misfit = inputMisfit(model.graph, binding);
  if (misfit !== undefined) throw new ServiceError('MODEL_NOT_TRAINABLE', { why: misfit });
  const image = binding.input!.name;
  const { model: forward, batch, accumulate, note } = await batched(model, binding, settings.batch);
  if (note) info(note);
  const chosen = chooseLoss(settings.loss, forward.graph, binding, {
    labelSmoothing: settings.labelSmoothing,
    labelled: isLabelled(binding.task, fit),
  });
  // What holds the outputs where they are would only hinder a teacher.
  const own = companion && settings.loss === 'auto' && chosen.loss.labels === 'tensors';
  const loss = own ? undefined : chosen;
  const runtime = { threads, provider };
  const { parameters, frozen } = chosenParameters(forward, settings);
  const pruned = parameters.filter(isPruned).length;
  if (pruned > 0) info(`Zeros of ${pruned} pruned weights stay zero.`);
  const bound = await companion?.bind(forward, loss?.bound, batch);
  const reference =
    loss?.loss.labels === 'tensors'
      ? await Reference.open(forward, loss.bound.reads, image, runtime)
      : undefined;
  const optimizer = OPTIMIZERS[settings.optimizer];
  const all = [...parameters, ...(bound?.parameters ?? [])];
  const graph = buildTrainGraph(forward, all, bound?.loss ?? chosen.bound, batch, {
    optimizer,
    optimizerOptions: OPTIMIZER_OPTIONS,
    decay: decayOf(settings),
    clip: settings.clip > 0 ? settings.clip : undefined,
    ema: settings.ema,
    sparsify: settings.sparsify,
    accumulate,
    batchStatistics: settings.batchStatistics,
    block: provider === 'cpu' ? await blockSize() : undefined,
    nodes: bound?.nodes,
  });
  const trainer = await Trainer.open(graph, image, {
    optimizer,
    optimizerOptions: OPTIMIZER_OPTIONS,
    ...runtime,
  });
  return {
    trainer,
    loss,
    companion: bound,
    reference,
    batch,
    accumulate,
    parameters: elements(parameters),
    frozen,
    async release() {
      await trainer.release();
      await reference?.release();
      await bound?.release();
    },
  };
}

/** @throws MODEL_NOT_TRAINABLE there are none, or the option freeze leaves none */
function chosenParameters({ graph }: Model, { freeze }: TrainSettings) {
  const all = findParameters(graph);
  const parameters = findParameters(graph, freeze);
  if (parameters.length === 0)
    throw new ServiceError('MODEL_NOT_TRAINABLE', {
      why:
        all.length === 0
          ? 'it has no trained float32 weights'
          : 'the option freeze leaves no weights to train',
    });
  return { parameters, frozen: elements(all) - elements(parameters) };
}

const elements = (list: readonly Parameter[]) => list.reduce((n, p) => n + p.initial.size, 0);
