/** @file What a client reads of a worker. */

import { type Static, Type } from 'typebox';

export const WorkerView = Type.Object(
  {
    id: Type.String({ description: 'Host and process.' }),
    provider: Type.String({ description: 'Execution provider of its jobs.' }),
    concurrency: Type.Integer({ description: 'Jobs that it runs at once.' }),
    running: Type.Integer({ description: 'Jobs at work.' }),
    duty: Type.Enum(['working', 'paused', 'draining'], {
      description: 'Paused and draining ones take no jobs; a draining one ends after its last.',
    }),
    version: Type.String(),
    startedAt: Type.String({ format: 'date-time' }),
  },
  { $id: 'Worker' },
);
export type WorkerView = Static<typeof WorkerView>;
