/** @file The same weight throughout. */

import { defineWeighting } from './weighting.ts';

/** λ at every step. */
export const constant = defineWeighting({
  summary: 'The same weight at every step.',
  defaults: { lambda: 1 },
  start: () => ({}),
  next: (state) => state,
  weight: (_, { lambda }) => lambda,
});
