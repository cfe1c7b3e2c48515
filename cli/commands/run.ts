import { mkdir, readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';

import { ERRORS, type ErrorCode } from '../../src/contract/errors.ts';
import type { JobEvent } from '../../src/contract/events.ts';
import type { Report } from '../../src/contract/report.ts';
import { JOB_ENTRIES } from '../../workers/jobs/job-files.ts';
import { shellWord } from '../../workers/report/command.ts';
import type { CliCommand } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import type { Io } from '../io.ts';
import { type ProcessEnd, runLocally } from '../local-process.ts';
import { reportText } from '../report-text.ts';
import { localJob } from '../spec-file.ts';

export const run: CliCommand = {
  summary:
    'run a whole job here, without a server: model.onnx, report.json, report.html, metrics.jsonl, stages/',
  arguments: '<spec>',
  handlesSignals: true,
  options: (command) =>
    command
      .option('--model <file>', 'the input model; default: the path in the spec')
      .option(
        '--data <path>',
        'a data.yaml, class folders or a folder of images; default: the path in the spec',
      )
      .requiredOption('--out <folder>', 'where results go; a folder of an earlier run is resumed')
      .option(
        '--threads <n>',
        'threads for computing (latency has its own number in the spec)',
        String(availableParallelism()),
      ),
  async run([spec], options, io) {
    const job = await localJob(spec!, options);
    const out = resolve(String(options['out']));
    await claim(out);
    let failure: Failed | undefined;
    const input = {
      folder: out,
      spec: job.spec,
      model: job.model,
      models: job.models,
      dataset: job.dataset ?? null,
      name: basename(job.model),
      command: commandLine(spec!, options),
      threads: threadsOf(options['threads']),
    };
    const end = await runLocally(input, (event) => {
      if (event.type === 'failed') failure = event;
      else tell(event, io);
    });
    if (end.interrupted) {
      io.note(
        `lathe: interrupted; finished stages are kept in ${out}: run the same command to go on.`,
      );
      return EXIT.interrupted;
    }
    if (failure) return fail(failure, io);
    if (end.code !== 0) {
      fail(crash(end), io);
      return EXIT.failed;
    }
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
    io.result(report, reportText(report, out));
    return report.accept.passed ? EXIT.done : EXIT.rejected;
  },
};

type Failed = Pick<Extract<JobEvent, { type: 'failed' }>, 'code' | 'detail' | 'stage'>;

/** The process of the job ended without a word: native code took it down. */
function crash({ code, signal }: ProcessEnd): Failed {
  const how = signal ?? `exit status ${code}`;
  const detail = `The job's process ended by ${how}.`;
  return { code: 'MODEL_CRASHES_RUNTIME', detail, stage: null };
}

/** A folder that an earlier run left is resumed, any other that holds files is refused. */
async function claim(out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  const foreign = (await readdir(out)).find(
    (name) => !JOB_ENTRIES.has(name) && !name.endsWith('.part'),
  );
  if (foreign)
    throw new UsageError(
      `--out: '${out}' holds '${foreign}', which is not from an earlier run: name an empty or a new folder.`,
    );
}

export function threadsOf(text: unknown): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > 256)
    throw new UsageError(`--threads: '${text}' is not a whole number from 1 to 256.`);
  return n;
}

function tell(event: JobEvent, io: Io): void {
  if (event.type === 'progress')
    io.progress(event.progress, event.doing, event.estimatedSecondsLeft);
  else if (event.type === 'log' && event.level !== 'info') io.note(`lathe: ${event.message}`);
}

/** Bad input is what a server would have answered with 4xx, before any stage ran. */
function fail({ code, detail, stage }: Failed, io: Io): ExitCode {
  if (io.json) io.result({ error: { code, detail, stage } }, '');
  io.note(`lathe: ${stage ? `stage '${stage}': ` : ''}${detail}`);
  const known = ERRORS[code as ErrorCode];
  return stage === null && known !== undefined && known.status < 500 ? EXIT.invalid : EXIT.failed;
}

function commandLine(
  spec: string,
  { model, data, out, threads }: Readonly<Record<string, unknown>>,
): string {
  const option = (name: string, value: unknown) =>
    typeof value === 'string' ? ` --${name} ${shellWord(value)}` : '';
  return `lathe run ${shellWord(spec)}${option('model', model)}${option('data', data)}${option('out', out)}${option('threads', threads)}`;
}
