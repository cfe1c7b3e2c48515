import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyBytes } from '../workers/job/tiny.ts';
import { Site } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterAll(() => site.close());

test('a worker works a job off', async () => {
  site.worker();
  const job = await site.submit({
    model: await site.model(tinyBytes()),
    dataset: await site.colours(),
    stages: [{ stage: 'quantize' }],
  });

  const done = await site.finished(job.id);

  expect(done).toMatchObject({ status: 'succeeded', outcome: 'pass', attempt: 1 });
});
