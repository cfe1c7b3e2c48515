/** @file A job in one multipart call: `spec` first, so that a faulty one is refused before files travel. */

import type { FastifyRequest } from 'fastify';

import { isTooDeep } from '../contract/depth.ts';
import { ServiceError } from '../contract/errors.ts';
import type { Received } from '../intake/take.ts';
import { TOO_DEEP } from '../plugins/bodies.ts';
import { JSON_BODY_LIMIT } from '../plugins/framework-errors.ts';
import type { Collaborators } from './collaborators.ts';
import { receivePart, refuseTooLong, unknownPart } from './receive.ts';

export interface ReceivedFiles {
  model?: Received;
  dataset?: Received;
}

type Part = Awaited<ReturnType<ReturnType<FastifyRequest['parts']>['next']>>['value'];

const PARTS = ['spec', 'model', 'dataset'] as const;

/**
 * @param onSpec called with the parsed spec before any file is read; what it returns comes back
 * @throws MULTIPART_INVALID · JSON_MALFORMED, and what receiving a file throws; no file is kept then
 */
export async function receiveJob<Spec>(
  request: FastifyRequest,
  { uploads, limits }: Pick<Collaborators, 'uploads' | 'limits'>,
  onSpec: (raw: unknown) => Promise<Spec>,
): Promise<{ readonly spec: Spec; readonly files: ReceivedFiles }> {
  const most = { model: limits.modelBytes, dataset: limits.datasetBytes };
  refuseTooLong(request, most.model + most.dataset + JSON_BODY_LIMIT);
  const files: ReceivedFiles = {};
  let spec: { readonly value: Spec } | undefined;
  let early: string | undefined;
  try {
    for await (const part of request.parts({
      limits: { fileSize: Math.max(most.model, most.dataset) + 1 },
    })) {
      const name = partName(part, spec !== undefined, files);
      if (!spec && name !== 'spec') {
        // A spec whose JSON does not parse is told at the end: that says more than "must come first".
        if (part.type === 'file') part.file.resume();
        early = name;
      } else if (name === 'spec') spec = { value: await onSpec(await specOf(part)) };
      else files[name] = await receivePart(part, uploads, most[name]);
    }
    if (!spec || early)
      throw new ServiceError('MULTIPART_INVALID', {
        why: early ? "the part 'spec' must come first" : "the part 'spec' is missing",
      });
    return { spec: spec.value, files };
  } catch (error) {
    await discardAll(files);
    throw error;
  }
}

export async function discardAll({ model, dataset }: ReceivedFiles): Promise<void> {
  await model?.upload.discard();
  await dataset?.upload.discard();
}

function partName(part: Part, hasSpec: boolean, files: ReceivedFiles): (typeof PARTS)[number] {
  const name = PARTS.find((valid) => valid === part.fieldname);
  if (name === undefined) throw unknownPart(part.fieldname, PARTS);
  if (name === 'spec' ? hasSpec : files[name] !== undefined)
    throw new ServiceError('MULTIPART_INVALID', { why: `'${name}' comes twice` });
  return name;
}

/** The spec may be sent as text (curl -F 'spec=<job.json') or as a file (-F spec=@job.json). */
async function specOf(part: Part): Promise<unknown> {
  const spec = await parsedSpec(part);
  if (isTooDeep(spec))
    throw new ServiceError('JSON_MALFORMED', { why: `the part 'spec': ${TOO_DEEP}` });
  return spec;
}

async function parsedSpec(part: Part): Promise<unknown> {
  if (part.type === 'field' && typeof part.value === 'object') return part.value; // parsed by its type
  const text = part.type === 'field' ? String(part.value) : await textOf(part.file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ServiceError('JSON_MALFORMED', {
      why: `the part 'spec': ${(error as Error).message}`,
    });
  }
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > JSON_BODY_LIMIT) {
      const facts = { what: "part 'spec'", limit: JSON_BODY_LIMIT };
      throw new ServiceError('PAYLOAD_TOO_LARGE', facts);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
