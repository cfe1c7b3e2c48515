/** @file An answer of server-sent events: written straight to the connection, because thousands of them may be open. */

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

import type { FastifyReply } from 'fastify';

/** Proxies close connections that are silent for longer. */
const COMMENT_MS = 15_000;

/** The streams of one server: one clock keeps them all alive, and all end when it is about to stop. */
export class EventStreams {
  readonly #open = new Set<EventStream>();
  readonly #closing: AbortSignal;

  /** @param closing aborted when the server is about to stop */
  constructor(closing: AbortSignal) {
    this.#closing = closing;
    const clock = setInterval(() => this.#each((stream) => stream.comment()), COMMENT_MS).unref();
    const leave = () => {
      clearInterval(clock);
      this.#each((stream) => stream.end());
    };
    closing.addEventListener('abort', leave, { once: true });
  }

  /** Answer with a stream: its header goes at once. `HEAD` gets no more than that. */
  open(reply: FastifyReply): EventStream {
    reply.type('text/event-stream; charset=utf-8').header('cache-control', 'no-store');
    reply.header('x-accel-buffering', 'no'); // nginx: pass each event on at once
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders);
    raw.flushHeaders(); // apart from the first event: else the text of the header stays, in a hundred pieces
    const stream = new EventStream(raw, () => this.#open.delete(stream));
    this.#open.add(stream);
    if (reply.request.method === 'HEAD' || this.#closing.aborted) stream.end();
    return stream;
  }

  #each(what: (stream: EventStream) => void): void {
    for (const stream of this.#open) what(stream);
  }
}

/** What routes with such answers are given. */
export interface Streaming {
  readonly streams: EventStreams;
}

/**
 * Where events are written. Whoever waits for something to tell keeps no promise and no generator meanwhile, so that a
 * client that only listens costs little more than its connection.
 */
export class EventStream {
  readonly #raw: ServerResponse;
  #whenEnded: () => void = () => {};
  #room: (() => void) | undefined;

  /** @param forget called once, when no more can be written */
  constructor(raw: ServerResponse, forget: () => void) {
    this.#raw = raw;
    raw.once('close', () => {
      forget();
      this.#room?.();
      this.#whenEnded();
    });
    raw.on('drain', () => this.#room?.());
  }

  /** It was ended, or the client has gone. */
  get ended(): boolean {
    return this.#raw.writableEnded || this.#raw.destroyed;
  }

  /** What to do once the connection is no longer ours. */
  whenEnded(what: () => void): void {
    if (this.#raw.destroyed) what();
    else this.#whenEnded = what;
  }

  /** @returns when there is room for more, or nobody left to read it: a slow client slows the reading of events */
  async write(block: string): Promise<void> {
    if (this.ended || this.#raw.write(block)) return;
    await new Promise<void>((resolve) => {
      this.#room = resolve;
    });
    this.#room = undefined;
  }

  /** A sign of life, where nothing else is on its way. */
  comment(): void {
    if (!this.ended && this.#raw.writableLength === 0) this.#raw.write(':\n\n');
  }

  end(): void {
    if (!this.ended) this.#raw.end();
    this.#room?.();
  }
}

/** One event as it is written. @param id makes the stream resumable after it */
export function blockOf(event: string, data: object, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
