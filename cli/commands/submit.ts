import type { JobSpec } from '../../src/contract/job.ts';
import { planJob } from '../../src/contract/plan.ts';
import { readStageDocument } from '../../src/contract/stage-document.ts';
import { teacherModels, withTeachers } from '../../src/contract/teachers.ts';
import { client, exitOf, follow, jobText } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { download } from '../download.ts';
import { EXIT } from '../exit-codes.ts';
import { packFolder, packModel } from '../pack.ts';
import { readSpec, teacherPaths, uploadPath } from '../spec-file.ts';

/** Teachers that are files are sent first, and named by their ids. */
async function uploadTeachers(
  spec: Record<string, unknown>,
  file: string,
  api: ReturnType<typeof client>,
): Promise<void> {
  const stages = (spec['stages'] ?? []) as JobSpec['stages'];
  const own = teacherModels(stages).filter(({ teacher }) => !String(teacher).startsWith('sha256:'));
  const ids = new Map<string, string>();
  for (const [name, path] of Object.entries(await teacherPaths(own, file)))
    ids.set(name, (await api.uploadModel(await packModel(path))).id);
  if (ids.size > 0) spec['stages'] = withTeachers(stages, (name) => ids.get(name) ?? name);
}

export const submit: CliCommand = {
  summary: 'send a job to a server (LATHE_URL, LATHE_API_KEY)',
  arguments: '<spec>',
  options: (command) =>
    command
      .option(
        '--model <file>',
        'the input model (with external data: an archive or a folder); default: the id or path in the spec',
      )
      .option(
        '--data <path>',
        'an archive (zip, tar, tar.gz), a data.yaml or a folder, which is packed; default: the id or path in the spec',
      )
      .option(
        '--idempotency-key <key>',
        'the same key and job again, within a day, is the same job',
      )
      .option('--wait', 'follow the job to its end and exit as `lathe run` does')
      .option('--out <folder>', 'wait, then download the artifacts there'),
  async run([file], options, io) {
    const spec = await readSpec(file!);
    planJob(spec, readStageDocument()); // faults are told before anything is sent
    const api = client();
    const [modelPath, dataPath] = [
      await uploadPath(options['model'], spec['model'], file!, 'model'),
      await uploadPath(options['data'], spec['dataset'], file!, 'dataset'),
    ];
    const model = modelPath === undefined ? undefined : await packModel(modelPath);
    const dataset = dataPath === undefined ? undefined : await packFolder(dataPath);
    if (model) delete spec['model'];
    if (dataset) delete spec['dataset'];
    if (dataset && !model) Object.assign(spec, { dataset: (await api.uploadDataset(dataset)).id });
    await uploadTeachers(spec, file!, api);
    const files = { ...(model && { model }), ...(model && dataset && { dataset }) };
    const key = options['idempotencyKey'] as string | undefined;
    const job = await api.submit(spec, files, undefined, key);
    if (options['wait'] !== true && options['out'] === undefined) {
      io.result(job, job.id);
      return EXIT.done;
    }
    io.note(`lathe: ${job.id} is queued`);
    const end = await follow(api, job.id, io);
    if (typeof options['out'] === 'string' && end.status === 'succeeded')
      await download(api, job.id, options['out']);
    io.result(end, jobText(end));
    return exitOf(end);
  },
};
