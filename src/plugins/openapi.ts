/** @file The OpenAPI 3.1 document, made from the schemas of the routes. */

import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { Type } from 'typebox';

import { AuditEntry } from '../contract/audit.ts';
import { DatasetInfo, ModelInfo } from '../contract/inspection.ts';
import { WEBHOOK_EVENTS } from '../contract/job.ts';
import { JobView } from '../contract/job-view.ts';
import { KeyView } from '../contract/key.ts';
import { Problem } from '../contract/problem.ts';
import { TenantView } from '../contract/quota.ts';
import { SweepView } from '../contract/sweep.ts';
import { ImportView, UploadView } from '../contract/transfer.ts';
import { DeliveryView, SWEEP_EVENT, TEST_EVENT, WebhookView } from '../contract/webhook.ts';
import { WorkerView } from '../contract/worker.ts';

const created = Type.String({ format: 'date-time', description: 'When it was uploaded.' });
const name = Type.Union([Type.String(), Type.Null()], { description: 'File name.' });

/** Components: what answers consist of, each once. */
const COMPONENTS = [
  JobView,
  Problem,
  WebhookView,
  DeliveryView,
  WorkerView,
  KeyView,
  AuditEntry,
  UploadView,
  ImportView,
  TenantView,
  SweepView,
  { ...Type.Object({ ...ModelInfo.properties, createdAt: created }), $id: 'Model' },
  { ...Type.Object({ ...DatasetInfo.properties, name, createdAt: created }), $id: 'Dataset' },
];

const TAGS = {
  models: 'ONNX files, named by their digest.',
  datasets: 'Images, with labels or alone, named by the digest of their manifest.',
  uploads: 'Files that arrive in several requests (tus 1.0), or go to the storage directly.',
  imports: 'Files that this server fetches itself.',
  jobs: 'One model, one data set, an ordered list of stages.',
  artifacts: 'What jobs have made.',
  stages: 'What jobs consist of.',
  webhooks: 'Signed calls when something happens to a job (Standard Webhooks 1.0).',
  keys: 'API keys of a tenant, and what was done with them.',
  sweeps: 'Many specs over one model, and which of them are worth a look.',
  tenants: 'Quotas, and shares of the workers.',
  operations: 'Health and figures.',
};

export interface ApiInfo {
  readonly version: string;
}

export async function installOpenApi(app: FastifyInstance, { version }: ApiInfo): Promise<void> {
  for (const component of COMPONENTS) app.addSchema(component);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Lathe',
        version,
        description:
          'Makes trained vision models small and fast on the ONNX file alone. Errors are problem documents (RFC 9457).',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      } as never,
      servers: [{ url: '/', description: 'This server.' }],
      tags: Object.entries(TAGS).map(([tag, description]) => ({ name: tag, description })),
      security: [{ bearer: [] }, { apiKey: [] }, {}],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'A key of LATHE_API_KEYS, or one of POST /v1/keys.',
          },
          apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        },
      },
      ...({ webhooks: webhooks() } as object),
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? i) },
    transform: ({ schema, url }) => ({
      schema: wildcardNamed(schema),
      url: url.replace('/*', '/:name'),
    }),
  });
}

/** A wildcard is a path parameter called `name`. */
function wildcardNamed(schema: FastifySchema): FastifySchema {
  const params = schema?.params as { properties?: Record<string, unknown> } | undefined;
  if (!params?.properties?.['*']) return schema;
  const { '*': wildcard, ...properties } = params.properties;
  const renamed = { ...properties, name: wildcard };
  return { ...schema, params: { ...params, properties: renamed, required: Object.keys(renamed) } };
}

/** One entry per event that a job can ask for. */
function webhooks(): Record<string, object> {
  return Object.fromEntries(
    [...WEBHOOK_EVENTS, SWEEP_EVENT, TEST_EVENT].map((event) => [
      event,
      {
        post: {
          operationId: `on-${event}`.replaceAll('.', '-'),
          summary: event === TEST_EVENT ? 'A test' : `A job: ${event.slice('job.'.length)}`,
          description:
            'Signed as Standard Webhooks say: headers webhook-id, webhook-timestamp, webhook-signature. `data` is the job without its links.',
          tags: ['webhooks'],
          security: [],
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  required: ['type', 'timestamp', 'data'],
                  properties: {
                    type: { const: event },
                    timestamp: { type: 'string', format: 'date-time' },
                    data: {
                      type: 'object',
                      description: event === TEST_EVENT ? 'The id.' : 'As Job, without `links`.',
                    },
                  },
                },
              },
            },
          },
          responses: {
            '2XX': { description: 'Received. Anything else is tried again.' },
            '410': { description: 'Gone: not called again.' },
          },
        },
      },
    ]),
  );
}
