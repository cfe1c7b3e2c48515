/** @file A thread that prepares batches: orders in, batches out, one after the other. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';

import { ServiceError } from '../../../src/contract/errors.ts';
import { BatchMaker } from './make-batch.ts';
import type { Answer, BatchPlan, Failure, Order, TrainBatch } from './messages.ts';

// The cores belong to the training step.
sharp.concurrency(1);

const port = parentPort as MessagePort;
const maker = new BatchMaker(workerData as BatchPlan);
let last: Promise<void> = Promise.resolve();

port.on('message', (order: Order) => {
  last = last.then(() => answer(order));
});

async function answer({ step, memory }: Order): Promise<void> {
  try {
    const batch = await maker.make(step, memory);
    port.postMessage({ step, batch } satisfies Answer, memoryOf(batch));
  } catch (error) {
    port.postMessage({ step, failure: failureOf(error) } satisfies Answer);
  }
}

function memoryOf({ images, labels }: TrainBatch): ArrayBuffer[] {
  const rest =
    labels.kind === 'boxes'
      ? [labels.boxes.buffer, labels.classes.buffer]
      : labels.kind === 'classes'
        ? [labels.targets.buffer]
        : [];
  return [images.buffer, ...rest];
}

function failureOf(error: unknown): Failure {
  if (error instanceof ServiceError)
    return { message: error.message, code: error.code, facts: error.facts };
  return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
