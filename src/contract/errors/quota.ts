/** @file Failures of a tenant that has used up what it may use. */

import type { Quota } from '../quota.ts';
import type { ErrorEntry } from './entry.ts';

const NOUNS = {
  jobsQueued: 'jobs wait',
  jobsRunning: 'jobs are at work',
  bytesStored: 'bytes are stored',
  uploadBytesPerHour: 'bytes were uploaded within the last hour',
} as const satisfies Record<Quota, string>;

const WAYS = {
  jobsQueued: 'Wait until some have begun, or cancel some',
  jobsRunning: 'Wait until some have ended',
  bytesStored: 'Delete models, data sets or jobs',
  uploadBytesPerHour: 'Try again later',
} as const satisfies Record<Quota, string>;

export const QUOTA_ERRORS = {
  QUOTA_EXCEEDED: {
    status: 429,
    retry: true,
    message: (p: {
      quota: Quota;
      used: number;
      allowed: number;
      /** What the request needs beyond that. */
      more: number;
      /** After so many seconds there will be room. */
      seconds?: number;
    }) =>
      `The quota '${p.quota}' does not allow this: ${p.used} ${NOUNS[p.quota]}, this needs ${p.more} more, ${p.allowed} are allowed. ${WAYS[p.quota]}${p.seconds === undefined ? '' : `, in ${p.seconds} s at the earliest`}.`,
  },
  TENANT_NOT_FOUND: {
    status: 404,
    retry: false,
    message: (p: { tenant: string }) =>
      `There is no tenant '${p.tenant}': a name is of letters, digits, . _ -, at most 64.`,
  },
} as const satisfies Record<string, ErrorEntry>;
