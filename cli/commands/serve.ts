import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

/** Both run until SIGTERM or SIGINT; settings come from the environment, as the configuration table says. */
export const serve: CliCommand = {
  summary: 'the API process; settings from the environment (LATHE_PORT, REDIS_URL …)',
  handlesSignals: true,
  options: (command) =>
    command.option('--role <role>', 'all, api or webhooks (deliver only); default: LATHE_ROLE'),
  async run(_, { role }) {
    const { runServer } = await import('../../src/server.ts');
    const chosen = typeof role === 'string' ? { LATHE_ROLE: role } : {};
    await runServer({ ...process.env, ...chosen });
    return EXIT.done;
  },
};

export const worker: CliCommand = {
  summary: 'a worker process; settings from the environment (REDIS_URL, LATHE_CONCURRENCY …)',
  handlesSignals: true,
  async run() {
    const { runWorker } = await import('../../workers/main.ts');
    await runWorker();
    return EXIT.done;
  },
};
