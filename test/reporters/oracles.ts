/** @file One line per oracle folder: cases passed, failed. Failed cases are named. */

import type { Reporter, TestCase, TestModule } from 'vitest/node';

const ORACLES = '/test/oracles/';

export default class OracleReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const byFolder = Map.groupBy(modules, folderOf);
    for (const folder of [...byFolder.keys()].sort()) report(folder, byFolder.get(folder)!);
  }
}

/** test/oracles/map.test.ts and test/oracles/map/….test.ts both hold cases of `map`. */
function folderOf({ moduleId }: TestModule): string {
  const [first] = moduleId.slice(moduleId.lastIndexOf(ORACLES) + ORACLES.length).split('/');
  return first!.replace(/\.test\.ts$/, '');
}

function report(folder: string, modules: readonly TestModule[]): void {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const failed = tests.filter((test) => test.result().state === 'failed');
  const passed = tests.filter((test) => test.result().state === 'passed');
  const broken = modules.filter((module) => module.errors().length > 0);
  console.log(`${folder}: ${passed.length} passed, ${failed.length + broken.length} failed`);
  for (const test of failed) console.log(`  ${test.name}: ${reason(test)}`);
  for (const module of broken) console.log(`  ${module.moduleId}: ${module.errors()[0]!.message}`);
}

const reason = (test: TestCase) => test.result().errors?.[0]?.message.split('\n')[0] ?? '';
