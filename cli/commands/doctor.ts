import type { Check, Finding } from '../checks/check.ts';
import { CHECKS } from '../checks/registry.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';

const MARK = { good: '✓', warn: '!', bad: '✗' } as const;

export const doctor: CliCommand = {
  summary:
    'check Redis and its settings, disk, storage, access, workers, providers, sandbox, clock',
  arguments: '[checks...]',
  async run(names, _, io) {
    const findings = await Promise.all(chosen(names).map(([name, check]) => attempt(name, check)));
    io.result(
      { findings },
      findings.map((f) => `${MARK[f.state]} ${f.name.padEnd(18)} ${f.detail}`).join('\n'),
    );
    return findings.some((f) => f.state === 'bad') ? EXIT.failed : EXIT.done;
  },
};

/** All checks, or those that are named: a container's health check asks for two. */
function chosen(names: readonly string[]): [string, Check][] {
  const unknown = names.find((name) => !Object.hasOwn(CHECKS, name));
  if (unknown !== undefined)
    throw new UsageError(
      `'${unknown}' is not a check; valid are ${Object.keys(CHECKS).join(', ')}.`,
    );
  return Object.entries(CHECKS).filter(([name]) => names.length === 0 || names.includes(name));
}

async function attempt(name: string, check: Check): Promise<Finding> {
  try {
    return await check(process.env);
  } catch (error) {
    return { name, state: 'bad', detail: (error as Error).message };
  }
}
