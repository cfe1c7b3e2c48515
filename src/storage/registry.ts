/** @file The kinds of storage: one line each. */

import type { ArtifactStore } from './artifact-store.ts';
import { DiskStore } from './disk.ts';

export interface StorageSettings {
  /** Folder of uploads and artifacts. */
  readonly dataDir: string;
}

export const STORES = {
  disk: ({ dataDir }: StorageSettings): ArtifactStore => new DiskStore(dataDir),
} as const satisfies Record<string, (settings: StorageSettings) => ArtifactStore>;

export const openStore = (settings: StorageSettings): ArtifactStore => STORES.disk(settings);
