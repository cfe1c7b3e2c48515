import { checkImages } from '../../src/contract/plan.ts';
import { readStageDocument } from '../../src/contract/stage-document.ts';
import { loadModel } from '../../workers/data/load-model.ts';
import { openDataset } from '../../workers/data/open.ts';
import { planStages } from '../../workers/jobs/plan.ts';
import { checkModel } from '../../workers/onnx/check.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { localJob } from '../spec-file.ts';

export const check: CliCommand = {
  summary: 'validate a job and show its plan; run nothing',
  arguments: '<spec>',
  options: (command) =>
    command
      .option('--model <file>', 'the input model; default: the path in the spec')
      .option('--data <path>', 'the data set; default: the path in the spec'),
  async run([spec], options, io) {
    const job = await localJob(spec!, options);
    const dataset = job.dataset === undefined ? undefined : await openDataset(job.dataset);
    const images = dataset && {
      train: dataset.splits.train.length,
      val: dataset.splits.val.length,
      test: dataset.splits.test.length,
    };
    checkImages(job.spec, readStageDocument(), images);
    const model = readModel((await loadModel(job.model)).bytes);
    checkModel(model);
    const { task, preprocess } = job.spec;
    const binding = bindTask(model, { task, preprocess, classes: dataset?.classes });
    const plan = planStages(job.spec.stages);
    plan[0]?.stage.prepare?.(model, plan[0].options);
    const document = {
      spec: job.spec,
      task: binding.task,
      head: binding.description,
      preprocess: binding.preprocess,
      images: images ?? null,
    };
    const stages = plan.map((p, i) => `${i + 1}. ${p.stage.name} ${JSON.stringify(p.options)}`);
    const text = [
      `${binding.task}: ${binding.description}`,
      images
        ? `images: ${images.train} train, ${images.val} val, ${images.test} test`
        : 'no data set',
      ...stages,
      'The job is valid.',
    ];
    io.result(document, text.join('\n'));
    return EXIT.done;
  },
};
