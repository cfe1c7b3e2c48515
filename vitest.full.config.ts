import { defineConfig } from 'vitest/config';

/** Every test, one file at a time: the slow ones measure memory and latency. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
  },
});
