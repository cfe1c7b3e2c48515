import type { Check, Finding } from '../checks/check.ts';
import { CHECKS } from '../checks/registry.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

const MARK = { good: '✓', warn: '!', bad: '✗' } as const;

export const doctor: CliCommand = {
  summary: 'check Redis and its settings, disk, providers, sandbox, clock',
  async run(_, __, io) {
    const findings = await Promise.all(
      Object.entries(CHECKS).map(([name, check]) => attempt(name, check)),
    );
    io.result(
      { findings },
      findings.map((f) => `${MARK[f.state]} ${f.name.padEnd(18)} ${f.detail}`).join('\n'),
    );
    return findings.some((f) => f.state === 'bad') ? EXIT.failed : EXIT.done;
  },
};

async function attempt(name: string, check: Check): Promise<Finding> {
  try {
    return await check(process.env);
  } catch (error) {
    return { name, state: 'bad', detail: (error as Error).message };
  }
}
