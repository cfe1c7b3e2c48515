/** @file Ids: a word for what they name and a UUIDv7 without dashes, so that they sort by time of creation. */

import { randomBytes } from 'node:crypto';

export const JOB_ID_PATTERN = '^job_[0-9a-f]{32}$';
export const UPLOAD_ID_PATTERN = '^up_[0-9a-f]{32}$';
export const IMPORT_ID_PATTERN = '^imp_[0-9a-f]{32}$';
export const SWEEP_ID_PATTERN = '^swp_[0-9a-f]{32}$';
export const WEBHOOK_ID_PATTERN = '^wh_[0-9a-f]{32}$';

let last = 0n;

/**
 * UUIDv7: 48 bits of Unix milliseconds, version 7, 12 bits, variant 10, 62 random bits. Ids made in one process
 * rise strictly: within a millisecond the 12 bits count, and borrow from the next one when they are used up.
 * Source: RFC 9562, section 5.7 and 6.2 (method 1).
 */
function uuid7(now: number): string {
  const start = (BigInt(now) << 12n) | BigInt(randomBytes(2).readUInt16BE() & 0x3ff);
  last = start > last ? start : last + 1n;
  const time = (last >> 12n).toString(16).padStart(12, '0');
  const counter = (last & 0xfffn).toString(16).padStart(3, '0');
  const random = randomBytes(8);
  random[0] = (random[0]! & 0x3f) | 0x80;
  return `${time}7${counter}${random.toString('hex')}`;
}

export const newJobId = (now = Date.now()): string => `job_${uuid7(now)}`;
export const newSweepId = (now = Date.now()): string => `swp_${uuid7(now)}`;
export const newKeyId = (now = Date.now()): string => `key_${uuid7(now)}`;
export const newWebhookId = (now = Date.now()): string => `wh_${uuid7(now)}`;
export const newUploadId = (now = Date.now()): string => `up_${uuid7(now)}`;
export const newImportId = (now = Date.now()): string => `imp_${uuid7(now)}`;
