/** @file What inspection finds in an uploaded file: kept in its record, shown by the API and by `lathe inspect`. */

import { type Static, Type } from 'typebox';

import { DigestSchema } from './digest.ts';
import { TASK_NAMES } from './job.ts';

/** One input or output of a model. */
export const Port = Type.Object({
  name: Type.String(),
  dtype: Type.String({ description: 'Element type: float32, float16, int64 …' }),
  shape: Type.Array(Type.Union([Type.Integer(), Type.String(), Type.Null()]), {
    description: 'A number per axis, the name of a dynamic axis, or null where nothing is known.',
  }),
});
export type Port = Static<typeof Port>;

export const Obstacle = Type.Object({
  name: Type.String({ description: 'Name of the node, else its op and what it makes.' }),
  op: Type.String(),
  why: Type.String(),
});
export type Obstacle = Static<typeof Obstacle>;

/** Whether the weights can be trained in the graph. */
export const Trainability = Type.Union([
  Type.Object({
    trainable: Type.Literal(true),
    weights: Type.Integer({ description: 'Weight tensors that a gradient reaches.' }),
    elements: Type.Integer({ description: 'Numbers in them.' }),
  }),
  Type.Object({
    trainable: Type.Literal(false),
    why: Type.String(),
    nodes: Type.Array(Obstacle, { description: 'What stands in the way.' }),
  }),
]);
export type Trainability = Static<typeof Trainability>;

export const ModelInfo = Type.Object(
  {
    id: DigestSchema,
    name: Type.Union([Type.String(), Type.Null()], { description: 'File name.' }),
    bytes: Type.Integer({ description: 'Size of the file.' }),
    task: Type.Enum([...TASK_NAMES], { description: 'What a job takes it for, unless told.' }),
    inputs: Type.Array(Port),
    outputs: Type.Array(Port),
    params: Type.Integer({ description: 'Weights and biases of products and norms, in elements.' }),
    macs: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Multiply-accumulates at batch 1; null where shapes are unknown.',
    }),
    training: Type.Optional(Trainability),
    ops: Type.Record(Type.String(), Type.Integer(), { description: 'Nodes per op type.' }),
    warnings: Type.Array(Type.String()),
  },
  { $id: 'Model', additionalProperties: true },
);
export type ModelInfo = Static<typeof ModelInfo>;

export const SplitSizes = Type.Object({
  train: Type.Integer(),
  val: Type.Integer(),
  test: Type.Integer(),
});

export const DatasetInfo = Type.Object(
  {
    id: DigestSchema,
    task: Type.Enum([...TASK_NAMES], { description: 'generic: there are no labels.' }),
    classes: Type.Union([Type.Array(Type.String()), Type.Null()]),
    images: SplitSizes,
    warnings: Type.Array(Type.String()),
  },
  { $id: 'Dataset', additionalProperties: true },
);
export type DatasetInfo = Static<typeof DatasetInfo>;

/** The one JSON document that `workers/inspect-process.ts` prints. */
export type Inspection<Info> =
  | { readonly ok: true; readonly info: Info }
  | {
      readonly ok: false;
      readonly error: { readonly code: string; readonly detail: string; readonly facts?: unknown };
    };
