/** @file openapi/stages.json: every stage with its options, as the workers publish them for the API and the CLI. */

import { readFileSync } from 'node:fs';

export interface PublishedStage {
  readonly version: number;
  readonly summary: string;
  /** JSON Schema of the stage's options, a default for each. */
  readonly options: Readonly<Record<string, unknown>>;
  /** JSON Schema: options that match it need training images. Absent: the stage never does. */
  readonly needsImages?: Readonly<Record<string, unknown>>;
}

export interface StageDocument {
  readonly stages: Readonly<Record<string, PublishedStage>>;
}

const PUBLISHED = new URL('../../openapi/stages.json', import.meta.url);

export function readStageDocument(file: URL | string = PUBLISHED): StageDocument {
  return JSON.parse(readFileSync(file, 'utf8')) as StageDocument;
}
