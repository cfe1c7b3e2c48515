import { client, exitOf, follow, jobText } from '../client.ts';
import type { CliCommand } from '../command.ts';

export const watch: CliCommand = {
  summary: 'follow a job to its end; exits as `lathe run` does',
  arguments: '<job>',
  async run([id], _, io) {
    const job = await follow(client(), id!, io);
    io.result(job, jobText(job));
    return exitOf(job);
  },
};
