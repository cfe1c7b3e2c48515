/** @file /v1/quota and /v1/tenants: what a tenant uses and may use, and who sets it. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { ServiceError } from '../contract/errors.ts';
import { TenantChange, type TenantView } from '../contract/quota.ts';
import type { Collaborators } from './collaborators.ts';
import { readBody } from './read-body.ts';
import { page, problems } from './schemas.ts';

const TenantRef = Type.Unsafe<TenantView>({ $ref: 'Tenant#' });
const TenantParams = Type.Object({ tenant: Type.String({ description: 'Name of the tenant.' }) });
const NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
const config = { scope: 'operator' } as const;
const tags = ['tenants'];

export const tenantRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (app, deps) => {
  const { quotas, tenants } = deps;

  app.get(
    '/quota',
    {
      schema: {
        operationId: 'getQuota',
        summary: 'What your tenant uses and may use',
        tags,
        response: { 200: TenantRef, ...problems() },
      },
    },
    ({ tenant }) => quotas.view(tenant),
  );

  app.get(
    '/tenants',
    {
      config,
      schema: {
        operationId: 'listTenants',
        summary: 'What every tenant uses and may use',
        description: 'Those of LATHE_API_KEYS, and those for whom something was set.',
        tags,
        response: { 200: page({ $ref: 'Tenant#' }, 'All of them, by name.'), ...problems() },
      },
    },
    async () => {
      const names = [...new Set([...tenants, ...(await quotas.tenants())])].sort();
      return { items: await Promise.all(names.map((n) => quotas.view(n))), nextCursor: null };
    },
  );

  app.get(
    '/tenants/:tenant',
    {
      config,
      schema: {
        operationId: 'getTenant',
        summary: 'What a tenant uses and may use',
        tags,
        params: TenantParams,
        response: { 200: TenantRef, ...problems('TENANT_NOT_FOUND') },
      },
    },
    ({ params: { tenant } }) => quotas.view(named(tenant)),
  );

  app.patch(
    '/tenants/:tenant',
    {
      config,
      schema: {
        operationId: 'changeTenant',
        summary: 'Set quotas and weight of a tenant',
        description: 'What is left out stays; null: as for every tenant.',
        tags,
        params: TenantParams,
        body: TenantChange,
        response: {
          200: TenantRef,
          ...problems('TENANT_NOT_FOUND', 'JSON_MALFORMED', 'UNSUPPORTED_MEDIA_TYPE'),
        },
      },
    },
    async ({ params: { tenant }, body }) => {
      await quotas.change(named(tenant), readBody(TenantChange, body));
      return quotas.view(tenant);
    },
  );
};

function named(tenant: string): string {
  if (!NAME.test(tenant)) throw new ServiceError('TENANT_NOT_FOUND', { tenant });
  return tenant;
}
