/** @file /openapi.json, /docs, /docs/errors: for people and generators, from this server alone. */

import { readFileSync } from 'node:fs';
import scalar from '@scalar/fastify-api-reference';
import type { FastifyPluginAsync } from 'fastify';

import { errorsPage } from './errors-page.ts';

const SCALAR = '/docs/reference';

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lathe API</title>
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript; <a href="/openapi.json">openapi.json</a> and <a href="/docs/errors">the list of errors</a> do not.</noscript>
<script src="${SCALAR}/js/scalar.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `Scalar.createApiReference('#app', {
  url: '/openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
});
`;

const ERRORS_MD = new URL('../../docs/errors.md', import.meta.url);

/** Pages that a person opens: their key may come as a password. */
const config = { key: 'browser' } as const;

export const docsRoutes: FastifyPluginAsync = async (app) => {
  const hidden = { schema: { hide: true }, config, logLevel: 'warn' as const };
  const errors = errorsPage(readFileSync(ERRORS_MD, 'utf8'));

  app.addHook('onRoute', (route) => {
    if (route.url.startsWith(SCALAR)) route.config = { ...route.config, ...config };
  });
  await app.register(scalar, { routePrefix: SCALAR, configuration: { url: '/openapi.json' } });

  app.get('/openapi.json', hidden, async () => app.swagger());
  app.get('/docs', hidden, async (_request, reply) => reply.type('text/html').send(PAGE));
  app.get('/docs/start.js', hidden, async (_request, reply) =>
    reply.type('text/javascript').send(START),
  );
  app.get('/docs/errors', hidden, async (_request, reply) => reply.type('text/html').send(errors));
};
