/** @file GET /v1/stages: what a job may consist of. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import type { StageDocument } from '../contract/stage-document.ts';
import type { Collaborators } from './collaborators.ts';
import { problems } from './schemas.ts';

const Schema = Type.Unsafe<Readonly<Record<string, unknown>>>({ type: 'object' });

const Stages = Type.Object({
  items: Type.Array(
    Type.Object({
      stage: Type.String(),
      version: Type.Integer(),
      summary: Type.String(),
      options: { ...Schema, description: 'JSON Schema of the options, a default for each.' },
    }),
  ),
  nextCursor: Type.Null(),
  calibrators: Type.Array(Type.String()),
  profiles: Type.Array(Type.String()),
  criteria: Type.Array(Type.String()),
  providers: Type.Array(Type.String(), {
    description: 'Execution providers of the workers that are alive.',
  }),
});

/** Values of an enum option, wherever a stage has it. */
function valuesOf({ stages }: StageDocument, option: string): string[] {
  const found = Object.values(stages).flatMap(({ options }) => {
    const properties = options['properties'] as Record<string, { enum?: string[] }> | undefined;
    return properties?.[option]?.enum ?? [];
  });
  return [...new Set(found)];
}

export const stageRoutes: FastifyPluginAsyncTypebox<Collaborators> = async (
  app,
  { stages, workers },
) => {
  app.get(
    '/stages',
    {
      schema: {
        operationId: 'listStages',
        summary: 'Every stage with its options',
        tags: ['stages'],
        response: { 200: Stages, ...problems() },
      },
    },
    async () => ({
      items: Object.entries(stages.stages).map(([stage, { version, summary, options }]) => ({
        stage,
        version,
        summary,
        options,
      })),
      nextCursor: null,
      calibrators: valuesOf(stages, 'calibrator'),
      profiles: valuesOf(stages, 'profile'),
      criteria: valuesOf(stages, 'criterion'),
      providers: [...new Set((await workers.live()).map(({ provider }) => provider))],
    }),
  );
};
