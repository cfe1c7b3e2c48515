/** @file The kinds of storage: one line each. */

import type { ArtifactStore } from './artifact-store.ts';
import { DiskStore } from './disk.ts';
import { S3Store } from './s3.ts';

export interface StorageSettings {
  /** Folder of uploads and artifacts; with s3, of uploads on their way. */
  readonly dataDir: string;
  readonly storage?: 'disk' | 's3';
  readonly s3?: { readonly bucket: string; readonly endpoint: string; readonly region: string };
}

export const STORES = {
  disk: ({ dataDir }: StorageSettings): ArtifactStore => new DiskStore(dataDir),
  s3: ({ dataDir, s3 }: StorageSettings): ArtifactStore => new S3Store({ dataDir, ...s3! }),
} as const satisfies Record<NonNullable<StorageSettings['storage']>, unknown>;

export const openStore = (settings: StorageSettings): ArtifactStore =>
  STORES[settings.storage ?? 'disk'](settings);
