/** @file The OpenAPI document of the application: built over nothing, for no request is made. */

import { buildApp } from '../src/app.ts';
import type { StageDocument } from '../src/contract/stage-document.ts';
import type { Collaborators } from '../src/routes/collaborators.ts';
import { NO_TRACES } from '../src/traces/traces.ts';
import { ownVersion } from '../src/version.ts';

export async function openApiDocument(stages: StageDocument): Promise<object> {
  const { signal: closing } = new AbortController();
  const unused = { stages, closing, traces: NO_TRACES } as Collaborators;
  const options = {
    apiKeys: [],
    operators: [],
    anyHost: false,
    rateLimit: 1,
    version: ownVersion(),
  };
  const app = await buildApp(unused, options);
  const document = app.swagger();
  await app.close();
  return JSON.parse(JSON.stringify(document));
}
