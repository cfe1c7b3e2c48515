/** @file Failures of webhooks. */

import type { ErrorEntry } from './entry.ts';

export const WEBHOOK_ERRORS = {
  WEBHOOK_TARGET_REFUSED: {
    status: 422,
    retry: false,
    message: (p: { url: string; why: string }) =>
      `The webhook address '${p.url}' is refused: ${p.why}. Loopback and private addresses are allowed with LATHE_ALLOW_PRIVATE_TARGETS=1.`,
  },
} as const satisfies Record<string, ErrorEntry>;
