import { afterAll, beforeAll, expect, test } from 'vitest';

import { ServiceError } from '../../src/contract/errors.ts';
import type { JobRecord } from '../../src/records/job-record.ts';
import { DiskStore } from '../../src/storage/disk.ts';
import { NO_TRACES } from '../../src/traces/traces.ts';
import { failureOf } from '../../workers/jobs/failure.ts';
import { confinementHere } from '../../workers/supervision/confinement.ts';
import { Supervisor } from '../../workers/supervisor.ts';
import { workerConfig } from '../../workers/worker-config.ts';
import { Site, TENANT } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await Site.open();
});
afterAll(() => site.close());

/** A disk with room for so many more files. */
class NearlyFull extends DiskStore {
  room: number;

  constructor(root: string, room: number) {
    super(root);
    this.room = room;
  }

  override async putFile(...given: Parameters<DiskStore['putFile']>) {
    if (this.room-- <= 0) throw new ServiceError('STORAGE_FULL', {});
    return super.putFile(...given);
  }
}

/** Work the job off in this process's own supervisor. */
async function work({ id, queueId }: JobRecord, store: DiskStore): Promise<JobRecord> {
  const { jobs, models, datasets, queue, folder } = site;
  const config = workerConfig({ LATHE_WORK_DIR: `${folder}/work`, LATHE_THREADS: '1' });
  const catalogs = { models, datasets };
  const confinement = confinementHere();
  const log = () => {};
  const given = { jobs, store, catalogs, config: { ...config, provider: 'cpu' }, confinement };
  await new Supervisor({ ...given, traces: NO_TRACES, queue, log }).process(queueId, id);
  return (await jobs.find(id))!;
}

test.each([
  ['no stage', 0, [false, false]],
  ['one stage', 2, [true, false]],
  ['both stages', 4, [true, true]],
] as const)(
  'the store is full after %s: a clear error, and a retry resumes',
  async (_, room, kept) => {
    const store = new NearlyFull(`${site.folder}/data`, room);

    const job = await site.longJob({
      dataset: await site.colours(),
      stages: [{ stage: 'simplify' }, { stage: 'quantize' }],
    });

    const failed = await work(job, store);
    await site.service.retry(TENANT, failed.id);
    store.room = 100;
    const done = await work((await site.jobs.find(failed.id))!, store);

    expect(failed).toMatchObject({
      status: 'failed',
      error: {
        code: 'DISK_FULL',
        retryable: true,
        detail: expect.stringContaining('the artifact store'),
      },
    });
    expect(failed.stages.map((s) => s.output !== null)).toEqual(kept);
    expect(done).toMatchObject({ status: 'succeeded', attempt: 2 });
    const resumed = (await site.events(done.id)).filter((e) => e['resumed'] === true);
    expect(resumed.map((e) => e['index'])).toEqual([0, 1].filter((i) => kept[i]));
  },
);

test.each([
  ['ENOSPC', 'DISK_FULL', true],
  ['EDQUOT', 'DISK_FULL', true],
  ['EFBIG', 'FILE_TOO_LARGE', false],
  ['EIO', 'INTERNAL', true],
])('%s on the job’s own disk is %s', (code, expected, retryable) => {
  const failure = failureOf(Object.assign(new Error('write'), { code }), 'quantize');

  expect(failure).toMatchObject({ code: expected, retryable, stage: 'quantize' });
});
