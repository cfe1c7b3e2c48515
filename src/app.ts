/** @file The HTTP application over the given collaborators. Reads no environment and opens no socket. */

import type {
  FastifyPluginAsyncTypebox,
  TypeBoxTypeProvider,
} from '@fastify/type-provider-typebox';
import Fastify, { type FastifyBaseLogger } from 'fastify';

import { ServiceError } from './contract/errors.ts';
import { STATUSES } from './contract/job.ts';
import { installAudit } from './plugins/audit.ts';
import { installAuth, type TenantKey } from './plugins/auth.ts';
import { installJson } from './plugins/bodies.ts';
import { malformedHttp } from './plugins/client-errors.ts';
import { answerError, installErrorHandlers } from './plugins/errors.ts';
import { JSON_BODY_LIMIT } from './plugins/framework-errors.ts';
import { installMetrics, type Sources } from './plugins/metrics.ts';
import { installOpenApi } from './plugins/openapi.ts';
import { installRateLimit } from './plugins/rate-limit.ts';
import { installSameMachineOnly } from './plugins/same-machine.ts';
import { installSecurityHeaders } from './plugins/security-headers.ts';
import { installTraces } from './plugins/traces.ts';
import { installValidation } from './plugins/validation.ts';
import { artifactRoutes } from './routes/artifacts.ts';
import type { Collaborators } from './routes/collaborators.ts';
import { datasetRoutes } from './routes/datasets.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { docsRoutes } from './routes/docs.ts';
import { EventStreams, type Streaming } from './routes/event-stream.ts';
import { eventRoutes } from './routes/events.ts';
import { healthRoutes } from './routes/health.ts';
import { importRoutes } from './routes/imports.ts';
import { jobRoutes } from './routes/jobs.ts';
import { keyRoutes } from './routes/keys.ts';
import { modelRoutes } from './routes/models.ts';
import { stageRoutes } from './routes/stages.ts';
import { submitRoutes } from './routes/submit.ts';
import { sweepEventRoutes } from './routes/sweep-events.ts';
import { sweepEndRoutes, sweepRoutes } from './routes/sweeps.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { workerRoutes } from './routes/workers.ts';

export interface AppOptions {
  /** Empty: the server is for this machine only. */
  readonly apiKeys: readonly TenantKey[];
  /** Tenants that may do what concerns all of them. */
  readonly operators: readonly string[];
  /** Without keys: reachable under other names than localhost all the same. */
  readonly anyHost: boolean;
  /** Requests per tenant and minute. */
  readonly rateLimit: number;
  readonly version: string;
  readonly logger?: FastifyBaseLogger;
}

const V1: readonly FastifyPluginAsyncTypebox<
  Collaborators & Streaming & { withoutKeys: boolean }
>[] = [
  modelRoutes,
  datasetRoutes,
  uploadRoutes,
  importRoutes,
  submitRoutes,
  jobRoutes,
  eventRoutes,
  artifactRoutes,
  stageRoutes,
  webhookRoutes,
  deliveryRoutes,
  workerRoutes,
  keyRoutes,
  tenantRoutes,
  sweepRoutes,
  sweepEndRoutes,
  sweepEventRoutes,
];

export async function buildApp(deps: Collaborators, options: AppOptions) {
  const app = Fastify({
    ...(options.logger ? { loggerInstance: options.logger } : { logger: false }),
    clientErrorHandler: malformedHttp,
    frameworkErrors: answerError,
    bodyLimit: JSON_BODY_LIMIT,
    routerOptions: { maxParamLength: 200 },
    requestIdHeader: 'x-request-id',
    return503OnClosing: false, // ours is a problem document
  }).withTypeProvider<TypeBoxTypeProvider>();
  installValidation(app);
  installJson(app);
  await installSecurityHeaders(app);
  app.addHook('onRequest', async (request, reply) => {
    if (!deps.closing.aborted || request.routeOptions.config.key === 'nobody') return;
    reply.header('connection', 'close');
    throw new ServiceError('SHUTTING_DOWN', {});
  });
  if (options.apiKeys.length === 0) installSameMachineOnly(app, options.anyHost);
  installTraces(app, deps.traces);
  await installRateLimit(app, options.rateLimit);
  installAuth(app, {
    keys: options.apiKeys,
    operators: options.operators,
    identify: (token) => deps.keys.identify(token),
  });
  installAudit(app, { add: (tenant, entry) => deps.audit.add(tenant, entry) });
  installErrorHandlers(app);
  const metrics = installMetrics(app, sourcesOf(deps));
  await installOpenApi(app, options);
  const withoutKeys = options.apiKeys.length === 0;
  const streams = new EventStreams(deps.closing);
  for (const routes of V1)
    await app.register(routes, { ...deps, withoutKeys, streams, prefix: '/v1' });
  await app.register(healthRoutes, { ...deps, metrics });
  await app.register(docsRoutes);
  await app.ready();
  return app;
}

/** Where the figures of /metrics come from. */
function sourcesOf(deps: Collaborators): Sources {
  const counted = async (status: (typeof STATUSES)[number]) =>
    [status, await deps.service.jobs.count(status)] as const;
  return {
    jobs: async () => Object.fromEntries(await Promise.all(STATUSES.map(counted))),
    oldestWait: () => deps.service.jobs.oldestWait(),
    workers: () => deps.workers.live(),
    counted: () => deps.figures(),
  };
}

export type App = Awaited<ReturnType<typeof buildApp>>;
