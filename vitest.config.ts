import { defineConfig } from 'vitest/config';

/** The fast set: `npm test`. Slow proofs lie in test/full and belong to `npm run test:full`. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/full/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
