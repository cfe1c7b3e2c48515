/**
 * @file Write openapi/: what the API and the workers publish about themselves.
 *
 *     node scripts/openapi.ts           writes openapi.json, stages.json, report.schema.json
 *     node scripts/openapi.ts --check   fails where one of them is stale
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Report } from '../src/contract/report.ts';
import type { StageDocument } from '../src/contract/stage-document.ts';
import { STAGES } from '../workers/stages/registry.ts';
import type { Stage } from '../workers/stages/stage.ts';
import { openApiDocument } from './openapi-document.ts';

const FOLDER = join(import.meta.dirname, '../openapi');

/** Schemas carry symbols of their library; what is published is plain JSON. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));

export function stageDocument(): StageDocument {
  const stages = Object.entries(STAGES as unknown as Record<string, Stage>).map(
    ([name, { version, summary, options, needsImages }]) => [
      name,
      { version, summary, options: optional(options), ...(needsImages && { needsImages }) },
    ],
  );
  return plain({ stages: Object.fromEntries(stages) });
}

/** An option with a default need not be given. */
function optional(options: Stage['options']): object {
  const required = Object.entries(options.properties)
    .filter(([name, schema]) => options.required?.includes(name) && !('default' in schema))
    .map(([name]) => name);
  return { ...options, required };
}

const PUBLISHED: Readonly<Record<string, () => object | Promise<object>>> = {
  'stages.json': stageDocument,
  'openapi.json': () => openApiDocument(stageDocument()),
  'report.schema.json': () => ({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...plain(Report),
  }),
};

/** @returns names of files that are not what they should be */
export async function publish(write: boolean): Promise<string[]> {
  mkdirSync(FOLDER, { recursive: true });
  const stale: string[] = [];
  for (const [name, make] of Object.entries(PUBLISHED)) {
    const file = join(FOLDER, name);
    const text = `${JSON.stringify(await make(), null, 2)}\n`;
    if (text === current(file)) continue;
    stale.push(name);
    if (write) writeFileSync(file, text);
  }
  return stale;
}

function current(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  const stale = await publish(!check);
  for (const name of stale)
    console.log(`${name}: ${check ? 'stale, run npm run openapi' : 'written'}`);
  process.exitCode = check && stale.length > 0 ? 1 : 0;
}
