/** @file Holds every answer of an application against its own OpenAPI document. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';

import type { App } from '../../src/app.ts';

interface Operation {
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema: object }> }>>;
}

type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
};

export interface Contract {
  /** What did not fit, in words. */
  readonly broken: string[];
  /** `GET /v1/jobs/{id} 200`, as they came. */
  readonly seen: Set<string>;
}

/** Watch the server of an application from now on. */
export function watchContract(app: App): Contract {
  const document = JSON.parse(JSON.stringify(app.swagger())) as Document;
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'doc', ...document });
  const contract: Contract = { broken: [], seen: new Set() };
  app.server.on('request', (request, response) => {
    const body = collected(response);
    response.once('finish', () => check(document, ajv, contract, request, response, body()));
  });
  return contract;
}

function collected(response: ServerResponse): () => string {
  const chunks: Buffer[] = [];
  const keep = (chunk: unknown) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array)
      chunks.push(Buffer.from(chunk as string));
  };
  const { write, end } = response;
  response.write = function (this: ServerResponse, ...args: unknown[]) {
    keep(args[0]);
    return (write as (...a: unknown[]) => boolean).apply(this, args);
  } as typeof write;
  response.end = function (this: ServerResponse, ...args: unknown[]) {
    keep(args[0]);
    return (end as (...a: unknown[]) => ServerResponse).apply(this, args);
  } as typeof end;
  return () => Buffer.concat(chunks).toString();
}

function check(
  document: Document,
  ajv: Ajv2020,
  contract: Contract,
  { method = '', url = '' }: IncomingMessage,
  response: ServerResponse,
  body: string,
): void {
  const status = response.statusCode;
  const sent = (response as unknown as { _header: string | null })._header ?? '';
  const type = /^content-type: (.*?)\r?$/im.exec(sent)?.[1] ?? '';
  const say = (what: string) => contract.broken.push(`${method} ${url} ${status}: ${what}`);
  if (status >= 400 && !type.startsWith('application/problem+json')) say(`it is ${type}`);
  const plain = url.split('?')[0]!;
  const path =
    plain in document.paths ? plain : Object.keys(document.paths).find((p) => fits(p, plain));
  const operation = path && document.paths[path]![method.toLowerCase()];
  if (!path || !operation) return;
  contract.seen.add(`${method} ${path} ${status}`);
  const answer = operation.responses[status];
  if (!answer) return void say('this status is not in the document');
  const media = Object.keys(answer.content ?? {}).find((m) => m === type.split(';')[0]);
  if (answer.content && !media) return void say(`${type} is not in the document`);
  if (!media?.endsWith('json') || body === '' || status === 206) return;
  const pointer = ['paths', path, method.toLowerCase(), 'responses', status, 'content', media];
  const escaped = pointer.map((part) =>
    encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')),
  );
  const validate = ajv.compile({ $ref: `doc#/${escaped.join('/')}/schema` });
  if (!validate(JSON.parse(body))) say(ajv.errorsText(validate.errors));
}

function fits(path: string, url: string): boolean {
  const pattern = path
    .replaceAll(/[.+]/g, '\\$&')
    .replace('{name}', '.+')
    .replaceAll(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`).test(url);
}
