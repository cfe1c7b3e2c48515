import { basename } from 'node:path';

import { loadModel } from '../../workers/data/load-model.ts';
import { pairedLatency } from '../../workers/evaluation/latency.ts';
import * as format from '../../workers/report/format.ts';
import { chooseProvider, PROVIDERS } from '../../workers/runtime/providers.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import { table } from '../table.ts';
import { threadsOf } from './run.ts';

export const bench: CliCommand = {
  summary:
    'paired, interleaved latency of models: median, 95th percentile, speed-up over the first',
  arguments: '<models...>',
  options: (command) =>
    command
      .option('--threads <n>', 'intra-op threads', '1')
      .option('--pairs <n>', 'timed rounds in which every model runs once', '50')
      .option('--provider <name>', `execution provider: ${PROVIDERS.join(', ')}`, 'cpu'),
  async run(files, options, io) {
    const pairs = Number(options['pairs']);
    if (!Number.isInteger(pairs) || pairs < 1)
      throw new UsageError(`--pairs: '${options['pairs']}' is not a whole number of 1 or more.`);
    const provider = await chooseProvider(providerOf(options['provider']));
    const models = await Promise.all(files.map(async (file) => (await loadModel(file)).bytes));
    const timed = await pairedLatency(models, {
      threads: threadsOf(options['threads']),
      provider,
      pairs,
      onProgress: (done, total) => io.progress(done / total, 'timing'),
    });
    const entries = timed.map(({ latency, speedup, interval }, i) => ({
      model: files[i]!,
      latencyMs: latency,
      speedup,
      speedupInterval: interval,
    }));
    const rows = entries.map((e) => [
      basename(e.model),
      format.milliseconds(e.latencyMs.median),
      format.milliseconds(e.latencyMs.p95),
      format.factor(e.speedup),
      e.speedupInterval.map(format.digits).join(' to '),
    ]);
    io.result(
      { threads: Number(options['threads']), provider, pairs, models: entries },
      table([['model', 'median', 'p95', 'speed-up', '95 % interval'], ...rows]),
    );
    for (const e of entries.filter((x) => x.speedup < 1))
      io.note(`note: ${basename(e.model)} is slower than ${basename(files[0]!)} on this machine.`);
    return EXIT.done;
  },
};

function providerOf(name: unknown): string {
  const known = PROVIDERS.find((p) => p === name);
  if (known) return known;
  throw new UsageError(`--provider: '${name}' is none of ${PROVIDERS.join(', ')}.`);
}
