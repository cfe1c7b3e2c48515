import { client } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import { table } from '../table.ts';

export const jobs: CliCommand = {
  summary: 'list jobs, newest first',
  options: (command) =>
    command
      .option(
        '--status <status>',
        'queued, running, cancelling, succeeded, failed, cancelled or expired',
      )
      .option('--label <name=value>', 'jobs with this label')
      .option('--limit <n>', 'at most this many, 1 to 200', '50')
      .option('--cursor <cursor>', 'nextCursor of the page before'),
  async run(_, { status, label, limit, cursor }, io) {
    const count = Number(limit);
    if (!Number.isInteger(count) || count < 1 || count > 200)
      throw new UsageError(`--limit: '${limit}' is not a whole number from 1 to 200.`);
    const page = await client().jobs({
      status: text(status),
      label: text(label),
      limit: count,
      cursor: text(cursor),
    });
    const rows = page.items.map((job) => [
      job.id,
      job.status,
      job.outcome ?? '',
      `${Math.round(job.progress * 100)} %`,
      job.createdAt,
    ]);
    const lines = [table([['id', 'status', 'outcome', 'progress', 'created'], ...rows])];
    if (page.nextCursor) lines.push(`more: --cursor ${page.nextCursor}`);
    io.result(page, lines.join('\n'));
    return EXIT.done;
  },
};

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
