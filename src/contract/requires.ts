/** @file What a job asks of the worker that runs it, and what a worker offers. */

import { type Static, Type } from 'typebox';

const LABEL_NAME = '^[A-Za-z0-9][\\w.-]{0,62}$';

const Labels = (description: string) =>
  Type.Record(Type.String({ pattern: LABEL_NAME }), Type.String({ maxLength: 100 }), {
    maxProperties: 16,
    additionalProperties: false,
    description,
  });

export const Requires = Type.Object(
  {
    gpu: Type.Optional(
      Type.Boolean({ description: 'Whether the worker computes on a GPU; absent: either.' }),
    ),
    provider: Type.Optional(
      Type.Enum(['cpu', 'cuda', 'tensorrt', 'webgpu'], {
        description: 'Execution provider of the worker.',
      }),
    ),
    memory: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Least memory that the worker gives a job, in bytes.',
      }),
    ),
    labels: Type.Optional(Labels('Labels of the worker (LATHE_LABELS) that must all fit.')),
  },
  { additionalProperties: false },
);
export type Requires = Static<typeof Requires>;

/** What a worker announces. */
export const Abilities = Type.Object({
  gpu: Type.Boolean({ description: 'Whether its jobs compute on a GPU.' }),
  provider: Type.String({ description: 'Execution provider of its jobs.' }),
  memory: Type.Integer({ description: 'Memory that it gives a job, in bytes.' }),
  labels: Type.Record(Type.String(), Type.String(), { description: 'As LATHE_LABELS has them.' }),
});
export type Abilities = Static<typeof Abilities>;

/** What a worker lacks of what a job asks for, in words; none: it can run the job. */
export function lacking(worker: Abilities, asked: Requires): string[] {
  const { gpu, provider, memory, labels = {} } = asked;
  return [
    gpu !== undefined && gpu !== worker.gpu ? (gpu ? 'a GPU' : 'no GPU') : '',
    provider !== undefined && provider !== worker.provider ? `the provider ${provider}` : '',
    memory !== undefined && memory > worker.memory ? `${memory} bytes of memory` : '',
    ...Object.entries(labels).map(([name, value]) =>
      worker.labels[name] === value ? '' : `the label ${name}=${value}`,
    ),
  ].filter((lack) => lack !== '');
}

/** Nothing is asked for. */
export const asksNothing = ({ labels = {}, ...others }: Requires): boolean =>
  Object.keys(labels).length === 0 && Object.keys(others).length === 0;
