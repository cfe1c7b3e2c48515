/** @file Traces across API, queue, worker and webhook: carried as W3C trace context, and sent to a collector where one is named. */

/** https://www.w3.org/TR/trace-context/: version 00, trace id, parent id, flags; ids of zeros are not valid. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export interface Span {
  /** What is done within it names this as its parent; undefined: there is no trace. */
  readonly traceparent: string | undefined;
  /** @param failure what went wrong, in a word */
  end(attributes?: Attributes, failure?: string): void;
}

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  /** `server`: a request that came in; `client`: one that goes out; `consumer`: work off the queue. */
  readonly kind?: 'server' | 'client' | 'consumer';
  /** Milliseconds since 1970; default: now. */
  readonly startedAt?: number;
  readonly attributes?: Attributes;
}

export interface Traces {
  span(name: string, parent: string | undefined, options?: SpanOptions): Span;
  /** What was not sent yet is sent. */
  close(): Promise<void>;
}

/** A header's value, where it is one. */
export const traceparentOf = (header: unknown): string | undefined =>
  typeof header === 'string' && TRACEPARENT.test(header) ? header : undefined;

/** Nothing is recorded, but what came in is carried on. */
export const NO_TRACES: Traces = {
  span: (_, parent) => ({ traceparent: parent, end: () => {} }),
  close: async () => {},
};

/**
 * @param url where spans are sent by OTLP over HTTP; '': nowhere, and no package of OpenTelemetry is loaded
 * @param service `lathe-api`, `lathe-worker` or `lathe-webhooks`
 */
export async function openTraces(url: string, service: string): Promise<Traces> {
  if (url === '') return NO_TRACES;
  const { otelTraces } = await import('./otel.ts');
  return otelTraces(url, service);
}
