/** @file Read a text/event-stream. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html */

export interface ServerEvent {
  readonly id: string | undefined;
  /** `state`, `stage`, `progress`, `metric`, `log` or `snapshot`. */
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Comments and empty events are passed over; a last event that was cut off is dropped. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split(/\r\n\r\n|\n\n|\r\r/);
    rest = blocks.pop()!;
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

function parsed(block: string): ServerEvent | undefined {
  const fields = block
    .split(/\r\n|\n|\r/)
    .map((line) => /^(\w+): ?(.*)$/.exec(line))
    .filter((match) => match !== null);
  const of = (name: string) => fields.filter(([, field]) => field === name).map((m) => m[2]!);
  const data = of('data');
  if (data.length === 0) return undefined;
  const event = of('event').at(-1) ?? 'message';
  return { id: of('id').at(-1), event, data: JSON.parse(data.join('\n')) };
}
