/** @file Failures of an HTTP request itself. */

import type { ErrorEntry } from './entry.ts';

export const REQUEST_ERRORS = {
  NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { what: string }) => `${p.what} was not found.`,
  },
} as const satisfies Record<string, ErrorEntry>;
