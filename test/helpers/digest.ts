/** @file The digest of some bytes, by a hand of its own: tests hold the product's digests against it. */

import { createHash } from 'node:crypto';

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
