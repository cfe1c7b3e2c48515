import { client, exitOf, follow, jobText } from '../client.ts';
import type { CliCommand } from '../command.ts';

export const watch: CliCommand = {
  summary: 'follow a job to its end; exits as `lathe run` does',
  arguments: '<job>',
  async run([id], _, io) {
    const api = client();
    await api.job(id!); // no such job, no such server: said at once
    const job = await follow(api, id!, io);
    io.result(job, jobText(job));
    return exitOf(job);
  },
};
