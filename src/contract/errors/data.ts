/** @file Failures that a data set, an archive or an image causes. */

import type { ErrorEntry } from './entry.ts';

export const DATA_ERRORS = {
  DATASET_INVALID: {
    status: 422,
    retry: false,
    message: (p: { where: string; why: string }) =>
      `The data set is invalid at ${p.where}: ${p.why}.`,
  },
} as const satisfies Record<string, ErrorEntry>;
