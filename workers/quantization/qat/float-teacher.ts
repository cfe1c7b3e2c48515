/** @file The float model beside the quantized one while that is trained: what it says is what is to be learned. */

import { GraphBuilder } from '../../onnx/builder.ts';
import type { Model, Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { type Feed, openSession } from '../../runtime/session.ts';
import { withOutputs } from '../../runtime/taps.ts';
import type { TaskBinding } from '../../tasks/task.ts';
import { batched } from '../../training/batched.ts';
import type { Companion } from '../../training/companion.ts';
import type { BoundLoss } from '../../training/losses/loss.ts';
import type { TrainedTensor } from '../../training/parameters.ts';
import { fakeRule, writeOutFakes } from './fake-node.ts';
import { type FloatSignals, floatSignals } from './float-signals.ts';
import { SCALARS, TeacherWeights } from './teacher-weights.ts';

export interface TeacherOptions {
  readonly binding: TaskBinding;
  readonly threads: number;
  readonly provider: string;
  /** Share of the run after which ranges stay as they are. */
  readonly holdRanges: number;
  /** Puts fake quantization into the student, and says which of its numbers are trained. */
  readonly insert: (g: GraphBuilder) => readonly TrainedTensor[];
}

/** @param float the model before quantization, with the quantized model's names */
export const floatTeacher = (float: Model, options: TeacherOptions): Companion => ({
  async bind(forward, task, batch) {
    const { binding, threads, provider, insert, holdRanges } = options;
    const signals = floatSignals(forward.graph, binding);
    const image = binding.input!.name;
    const { model } = await batched(float, binding, batch);
    const names = floatSignals(model.graph, binding).reads.map((v) => v.name);
    const session = await openSession(withOutputs(model, names), { threads, provider });
    return {
      loss: joined(signals, task),
      parameters: insert(new GraphBuilder(forward.graph)),
      weights: new TeacherWeights(holdRanges, task !== undefined),
      nodes: { ruleOf: fakeRule, writeOut: (g) => writeOutFakes(g.graph, g) },
      async feeds({ images, dims }) {
        const results = await session.run({ [image]: { dims, data: images } });
        return Object.fromEntries(
          names.map((name, i): [string, Feed] => [inputOf(signals.reads[i]!), results[name]!]),
        );
      },
      release: () => session.release(),
    };
  },
});

const inputOf = (value: Value): string => `float/${value.name}`;

/** L = what the float model says + w·the task's loss. */
function joined(signals: FloatSignals, task: BoundLoss | undefined): BoundLoss {
  return {
    reads: [...new Set([...signals.reads, ...(task?.reads ?? [])])],
    build(context) {
      const { g, batch, input } = context;
      const teacher = signals.reads.map((v) => input(inputOf(v), shapeOf(v)));
      const float = signals.build(g, teacher, batch);
      const own = task?.build(context);
      if (own === undefined) return { total: float, parts: { float }, feeds: () => ({}) };
      const weighed = (loss: Value, name: string) => g.mul(loss, input(name, []));
      return {
        total: g.add(weighed(float, SCALARS.float), weighed(own.total, SCALARS.task)),
        parts: { float, ...own.parts },
        feeds: own.feeds,
      };
    },
  };
}
