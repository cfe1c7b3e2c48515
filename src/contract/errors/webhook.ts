/** @file Failures of webhooks. */

import type { ErrorEntry } from './entry.ts';

export const WEBHOOK_ERRORS = {
  WEBHOOK_TARGET_REFUSED: {
    status: 422,
    retry: false,
    message: (p: { url: string; why: string }) =>
      `The webhook address '${p.url}' is refused: ${p.why}. Loopback and private addresses are allowed with LATHE_ALLOW_PRIVATE_TARGETS=1.`,
  },
  WEBHOOK_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string }) => `There is no webhook '${p.id}'.`,
  },
  DELIVERY_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { id: string; webhook: string }) =>
      `The log of webhook '${p.webhook}' holds no delivery '${p.id}': it keeps the latest ones only.`,
  },
  WEBHOOK_DISABLED: {
    status: 409,
    retry: false,
    message: (p: { id: string; why: string }) =>
      `Webhook '${p.id}' is disabled (${p.why}): enable it first with PATCH and "enabled": true.`,
  },
  TOO_MANY_WEBHOOKS: {
    status: 409,
    retry: false,
    message: (p: { limit: number }) =>
      `There are ${p.limit} webhooks already, the most that a tenant may have: delete one first.`,
  },
} as const satisfies Record<string, ErrorEntry>;
