/** @file Every error answer, the framework's own included, is a problem document. */

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { ServiceError } from '../contract/errors.ts';
import { type Problem, problemOf } from '../contract/problem.ts';
import { drain } from './drain.ts';
import { frameworkError } from './framework-errors.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export function installErrorHandlers(app: FastifyInstance): void {
  const methods = methodsByPath(app);
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) => {
    const path = pathOf(request);
    const allowed = methods(path);
    if (allowed.length === 0)
      return answerError(new ServiceError('NOT_FOUND', { what: `'${path}'` }), request, reply);
    reply.header('allow', allowed.join(', '));
    const facts = { method: request.method, allowed: allowed.join(', ') };
    return answerError(new ServiceError('METHOD_NOT_ALLOWED', facts), request, reply);
  });
}

export async function answerError(error: Error, request: FastifyRequest, reply: FastifyReply) {
  const known =
    error instanceof ServiceError
      ? error
      : frameworkError(error as FastifyError, request.headers['content-type']);
  const problem = problemOf(known, pathOf(request));
  if (problem.status >= 500 && known.code !== 'SHUTTING_DOWN')
    request.log.error({ err: error }, problem.detail);
  await drain(request.raw);
  if (!request.raw.readableEnded && request.raw.headers['content-length'] !== undefined)
    reply.header('connection', 'close');
  if (problem.status === 503) reply.header('retry-after', 2);
  const { seconds } = known.facts as { readonly seconds?: number };
  if (known.code === 'QUOTA_EXCEEDED' && seconds !== undefined)
    reply.header('retry-after', seconds);
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(withoutInternals(problem)));
}

/** What went wrong inside is for the log, not for strangers. */
function withoutInternals(problem: Problem): Problem {
  if (problem.code !== 'INTERNAL') return problem;
  return { ...problem, detail: 'internal: this is a fault of the server; its log says more.' };
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0]!;

/** Which methods a path has: asked where none fits, to tell 405 from 404. */
function methodsByPath(app: FastifyInstance): (path: string) => string[] {
  const routes: { pattern: RegExp; method: string }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const escaped = url.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
    const pattern = new RegExp(`^${escaped.replaceAll(/:\w+/g, '[^/]+').replace('*', '.+')}$`);
    for (const one of [method].flat()) routes.push({ pattern, method: one });
  });
  return (path) => [
    ...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
  ];
}
