/** @file The float model beside the quantized one while that is trained. */

import type { Model, Value } from '../../onnx/graph.ts';
import { type Feed, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import { batched } from '../../training/batched.ts';
import type { BoundCompanion, Companion, StepWeights } from '../../training/companion.ts';
import type { BoundLoss } from '../../training/losses/loss.ts';
import { type FloatSignals, floatSignals } from './float-signals.ts';

export interface TeacherOptions {
  readonly binding: TaskBinding;
  readonly threads: number;
  readonly provider: string;
}

/** One weight each for what the float model says and, where there is one, the task's loss: labels correct what it has wrong. */
const TASK = 0.1;

/** @param float the model before quantization, with the quantized model's names */
export const floatTeacher = (float: Model, options: TeacherOptions): Companion => ({
  async bind(forward, task, batch) {
    const { binding, threads, provider } = options;
    const signals = floatSignals(forward.graph, binding);
    const image = binding.input!.name;
    const { model } = await batched(float, binding, batch);
    const names = floatSignals(model.graph, binding).reads.map((v) => v.name);
    const session = await openSession(withOutputs(model, names), { threads, provider });
    return {
      loss: joined(signals, task),
      parameters: [],
      weights: CONSTANT,
      async feeds({ images, dims }) {
        const results = await session.run({ [image]: { dims, data: images } });
        return Object.fromEntries(
          names.map((name, i): [string, Feed] => [inputOf(signals.reads[i]!), results[name]!]),
        );
      },
      release: () => session.release(),
    } satisfies BoundCompanion;
  },
});

const inputOf = (value: Value): string => `float/${value.name}`;

/** L = what the float model says + 0.1·the task's loss. */
function joined(signals: FloatSignals, task: BoundLoss | undefined): BoundLoss {
  return {
    reads: [...new Set([...signals.reads, ...(task?.reads ?? [])])],
    build(context) {
      const { g, batch, input } = context;
      const teacher = signals.reads.map((v) =>
        input(inputOf(v), v.type?.kind === 'tensor' ? (v.type.shape as number[]) : []),
      );
      const float = signals.build(g, teacher, batch);
      const own = task?.build(context);
      if (own === undefined) return { total: float, parts: { float }, feeds: () => ({}) };
      return {
        total: g.add(float, g.scale(own.total, TASK)),
        parts: { float, ...own.parts },
        feeds: own.feeds,
      };
    },
  };
}

/** Nothing is weighed anew. */
const CONSTANT: StepWeights = {
  scalars: () => ({}),
  probes: () => [],
  probed: () => {},
  stepped: () => {},
  judged: () => ({}),
  shown: () => ({}),
  state: () => null,
  restore: () => {},
};
