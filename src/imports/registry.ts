/** @file Where imports may come from, by the scheme of the address: one line each. */

import { HttpsSource } from './https-source.ts';
import { S3Source, type S3SourceSettings } from './s3-source.ts';
import { type ImportSource, refused } from './source.ts';

export interface SourceSettings {
  readonly allowPrivate: boolean;
  readonly s3: S3SourceSettings;
}

export const SOURCES = {
  'https:': ({ allowPrivate }) => new HttpsSource(allowPrivate),
  'http:': ({ allowPrivate }) => new HttpsSource(allowPrivate),
  's3:': ({ s3 }) => new S3Source(s3),
} as const satisfies Record<string, (settings: SourceSettings) => ImportSource>;

export type Sources = Readonly<Record<string, ImportSource>>;

export const openSources = (settings: SourceSettings): Sources =>
  Object.fromEntries(Object.entries(SOURCES).map(([scheme, open]) => [scheme, open(settings)]));

/** @throws IMPORT_SOURCE_REFUSED */
export function sourceOf(sources: Sources, url: string): ImportSource {
  const scheme = URL.parse(url)?.protocol;
  if (scheme === undefined) throw refused(url, 'it is no URL');
  const source = Object.hasOwn(sources, scheme) ? sources[scheme] : undefined;
  if (!source) throw refused(url, `its scheme is ${scheme.slice(0, -1)}; valid are https and s3`);
  return source;
}
