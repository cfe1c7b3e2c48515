import { defineConfig } from 'vitest/config';

/** Only the comparisons with independent numbers, one line per oracle folder. */
export default defineConfig({
  test: {
    include: ['test/oracles/**/*.test.ts'],
    reporters: ['./test/reporters/oracles.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
  },
});
