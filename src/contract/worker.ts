/** @file What a client reads of a worker. */

import { type Static, Type } from 'typebox';

import { Abilities } from './requires.ts';

export const WorkerView = Type.Object(
  {
    id: Type.String({ description: 'Host and process.' }),
    ...Abilities.properties,
    concurrency: Type.Integer({ description: 'Jobs that it runs at once.' }),
    running: Type.Integer({ description: 'Jobs at work.' }),
    duty: Type.Enum(['working', 'paused', 'draining'], {
      description: 'Paused and draining ones take no jobs; a draining one ends after its last.',
    }),
    version: Type.String(),
    startedAt: Type.String({ format: 'date-time' }),
    seenAt: Type.String({
      format: 'date-time',
      description: 'Last heartbeat: every ten seconds; after thirty without, it is taken for dead.',
    }),
  },
  { $id: 'Worker' },
);
export type WorkerView = Static<typeof WorkerView>;
