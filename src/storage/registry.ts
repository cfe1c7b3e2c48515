/** @file The kinds of storage: one line each. */

import type { ArtifactStore, PlainStore } from './artifact-store.ts';
import { Bucket } from './bucket.ts';
import { CheckedStore } from './checked.ts';
import { DiskStore } from './disk.ts';
import type { PartialFiles } from './partial-files.ts';
import { DiskPartials } from './partials-disk.ts';
import { S3Partials } from './partials-s3.ts';
import { S3Store } from './s3.ts';

export interface StorageSettings {
  /** Folder of uploads and artifacts; with s3, of uploads on their way. */
  readonly dataDir: string;
  readonly storage?: 'disk' | 's3';
  readonly s3?: {
    readonly bucket: string;
    readonly endpoint: string;
    readonly region: string;
    readonly publicEndpoint?: string;
  };
}

interface Kind {
  readonly files: (settings: StorageSettings) => PlainStore;
  /** Files that arrive piece by piece. */
  readonly partials: (settings: StorageSettings) => PartialFiles;
}

export const STORES = {
  disk: {
    files: ({ dataDir }) => new DiskStore(dataDir),
    partials: ({ dataDir }) => new DiskPartials(dataDir),
  },
  s3: {
    files: ({ dataDir, s3 }) => new S3Store(new Bucket(s3!), dataDir),
    partials: ({ dataDir, s3 }) => new S3Partials(new Bucket(s3!), dataDir),
  },
} as const satisfies Record<NonNullable<StorageSettings['storage']>, Kind>;

export const openStore = (settings: StorageSettings): ArtifactStore =>
  new CheckedStore(STORES[settings.storage ?? 'disk'].files(settings));

export const openPartials = (settings: StorageSettings): PartialFiles =>
  STORES[settings.storage ?? 'disk'].partials(settings);
