/** @file A span for each request, within the trace that its `traceparent` names. */

import type { FastifyInstance } from 'fastify';

import { type Span, type Traces, traceparentOf } from '../traces/traces.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Parent of what is done on behalf of the request. */
    traceparent: string | undefined;
  }
}

export function installTraces(app: FastifyInstance, traces: Traces): void {
  const spans = new WeakMap<object, Span>();
  app.decorateRequest('traceparent', undefined);
  app.addHook('onRequest', async (request) => {
    const { method, routeOptions, headers } = request;
    const route = routeOptions.url ?? 'none';
    const span = traces.span(`${method} ${route}`, traceparentOf(headers['traceparent']), {
      kind: 'server',
      attributes: { 'http.request.method': method, 'http.route': route },
    });
    spans.set(request, span);
    request.traceparent = span.traceparent;
  });
  app.addHook('onResponse', async (request, { statusCode: status }) => {
    const failure = status >= 500 ? `answered ${status}` : undefined;
    spans.get(request)?.end({ 'http.response.status_code': status }, failure);
  });
}
