/** @file The spans of one attempt: the time before it, the attempt, and each stage. */

import type { JobEvent } from '../../src/contract/events.ts';
import type { JobRecord } from '../../src/records/job-record.ts';
import type { Span, Traces } from '../../src/traces/traces.ts';

export class AttemptTrace {
  readonly #traces: Traces;
  readonly #span: Span;
  #stage: Span | undefined;

  constructor(traces: Traces, { id, attempt, trace, createdAt }: JobRecord) {
    this.#traces = traces;
    const parent = trace ?? undefined;
    const attributes = { 'lathe.job': id, 'lathe.attempt': attempt };
    const startedAt = Date.parse(createdAt);
    if (attempt === 1) traces.span('queue', parent, { startedAt, attributes }).end();
    this.#span = traces.span('attempt', parent, { kind: 'consumer', attributes });
  }

  hear(event: JobEvent): void {
    if (event.type !== 'stage') return;
    this.#stage?.end();
    this.#stage =
      event.status === 'running'
        ? this.#traces.span(`stage ${event.stage}`, this.#span.traceparent)
        : undefined;
  }

  end(how: string, failed: boolean): void {
    const failure = failed ? how : undefined;
    this.#stage?.end({}, failure);
    this.#span.end({ 'lathe.end': how }, failure);
  }
}
