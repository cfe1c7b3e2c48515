import { client, jobText } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

export const cancel: CliCommand = {
  summary: 'cancel a queued or running job',
  arguments: '<job>',
  async run([id], _, io) {
    const job = await client().cancel(id!);
    io.result(job, jobText(job));
    return EXIT.done;
  },
};
