/**
 * @file Counts for .ci/run: writes `passed failed skipped` to the file that LATHE_TEST_COUNTS names, and below that
 * each test that was skipped because the shared data is absent.
 */

import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

import { OWN_REDIS_ONLY } from '../helpers/redis.ts';
import { NO_SHARED_DATA } from '../helpers/shared-data.ts';

export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env['LATHE_TEST_COUNTS'];
    if (file === undefined) return;
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const having = (state: string) => tests.filter((test) => test.result().state === state);
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const failed = having('failed').length + broken + errors.length;
    const counts = `${having('passed').length} ${failed} ${having('skipped').length}`;
    const absent = having('skipped')
      .filter(wantedSharedData)
      .map((test) => test.fullName);
    writeFileSync(file, `${[counts, ...absent].join('\n')}\n`);
  }
}

/** A skip that gives another reason in its note or name is none of shared data's business. */
function wantedSharedData(test: TestCase): boolean {
  const { note } = test.result() as { note?: string };
  if (note !== undefined) return note.includes(NO_SHARED_DATA);
  return !test.fullName.includes(OWN_REDIS_ONLY);
}
