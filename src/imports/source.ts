/** @file Where imports come from: one file of the source, as it is fetched. */

import { basename } from 'node:path';

import { ServiceError } from '../contract/errors.ts';
import { withoutSecrets } from '../egress/addresses.ts';

export interface Fetched {
  readonly body: AsyncIterable<Uint8Array>;
  /** Bytes in all; null: the source does not tell. */
  readonly total: number | null;
}

/** One way of fetching. */
export interface ImportSource {
  /** May this address be fetched? @throws IMPORT_SOURCE_REFUSED */
  check(url: string): Promise<void>;

  /** @throws IMPORT_SOURCE_REFUSED · IMPORT_SOURCE_ANSWER · IMPORT_SOURCE_UNREACHABLE */
  open(url: string, signal: AbortSignal): Promise<Fetched>;
}

/** What may be shown and logged: the query of an address can hold a signature. */
export const shownUrl = (url: string): string =>
  url.startsWith('s3:') ? url.slice(0, 1000) : withoutSecrets(url);

export const refused = (url: string, why: string) =>
  new ServiceError('IMPORT_SOURCE_REFUSED', { url: shownUrl(url), why });
export const noFile = (url: string, why: string) =>
  new ServiceError('IMPORT_SOURCE_ANSWER', { url: shownUrl(url), why });
export const unreachable = (url: string, why: string, cause?: unknown) =>
  new ServiceError('IMPORT_SOURCE_UNREACHABLE', { url: shownUrl(url), why }, { cause });

/** The last part of the address, as a file name. */
export function nameOf(url: string): string | null {
  const path = url.startsWith('s3:') ? url : (URL.parse(url)?.pathname ?? '');
  try {
    return decodeURIComponent(basename(path)).slice(0, 200) || null;
  } catch {
    return basename(path).slice(0, 200) || null;
  }
}
