import { readConfig } from '../../src/config.ts';
import { redisHealth } from '../../src/records/redis-health.ts';
import type { Check } from './check.ts';

const NAME = 'Redis';

/** Whether it answers, keeps what it is given, and agrees on the time. */
export const redis: Check = async (env) => {
  const { redisUrl } = readConfig(env);
  const shown = redisUrl.replace(/\/\/[^@/]*@/, '//…@');
  const { version, faults } = await redisHealth(redisUrl);
  const said = faults.join('; ');
  if (version === undefined) {
    const detail = `${shown} does not answer: ${said}. Needed by serve and worker only.`;
    return { name: NAME, state: 'bad', detail };
  }
  const good = 'noeviction, append-only file, clocks agree';
  return {
    name: NAME,
    state: faults.length > 0 ? 'warn' : 'good',
    detail: `${shown}, ${version}: ${said || good}`,
  };
};
