/** @file Options of whatever is taught: the teacher, what it is compared by, and how strongly. */

import { type Static, type TSchema, Type } from 'typebox';

import type { Rule } from '../distillation/balance.ts';
import { SIGNALS } from '../distillation/signals/registry.ts';
import { WEIGHTINGS, type WeightingName } from '../distillation/weighting/registry.ts';
import { keysOf } from './one-of.ts';

const number = (description: string, more: object = {}) =>
  Type.Optional(Type.Number({ minimum: 0, ...more, description }));

/** Every option that a rule may have; their defaults stand in the rule. */
const RULE_OPTIONS: Readonly<Record<string, TSchema>> = {
  lambda: number('Weight of the teacher’s losses beside the task’s.'),
  lambdaMin: number('Least weight.'),
  lambdaMax: number('Largest weight.'),
  minGap: number('Shortfall of the metric that counts as the whole at the start, at least.'),
  ratio: number('Norm of the teacher’s gradient as a share of the task’s.'),
  beta: number('Share of the old value in smoothed norms, 0 to 1.', { maximum: 1 }),
  gamma: number('Exponent on the teacher’s certainty; 0 counts all places alike.'),
  from: number('Weight at the beginning.'),
  to: number('Weight at the end.'),
  begin: number('Share of the run at which the weight starts to move, 0 to 1.', { maximum: 1 }),
  end: number('Share of the run at which it has arrived, 0 to 1.', { maximum: 1 }),
  shape: Type.Optional(
    Type.Enum(['linear', 'cosine'], { description: 'How it moves in between.' }),
  ),
  learningRate: number('Step of the learned log-variances.'),
  logVariance: Type.Optional(Type.Number({ description: 'Log-variance at the start.' })),
};

const ruleObject = (rule: WeightingName) =>
  Type.Object(
    {
      rule: Type.Literal(rule),
      ...Object.fromEntries(
        Object.keys(WEIGHTINGS[rule].defaults).flatMap((option) =>
          RULE_OPTIONS[option] ? [[option, RULE_OPTIONS[option]]] : [],
        ),
      ),
    },
    { additionalProperties: false, description: WEIGHTINGS[rule].summary },
  );

const rules = keysOf(WEIGHTINGS);
const ruleNames = rules.map((rule) => `${rule}: ${WEIGHTINGS[rule].summary}`).join(' ');

/** The name of a rule, or an object with its options. */
const Weighting = (description: string, more: object = {}) =>
  Type.Unsafe<WeightingName | Rule>(
    Type.Union([Type.Enum([...rules]), ...rules.map(ruleObject)], { ...more, description }),
  );

const SignalOption = Type.Object(
  {
    kind: Type.Enum(keysOf(SIGNALS), {
      description: Object.entries(SIGNALS)
        .map(([kind, { summary }]) => `${kind}: ${summary}`)
        .join(' '),
    }),
    weight: Type.Number({
      minimum: 0,
      default: 1,
      description:
        'Share of this signal; 1: its gradient counts as much as the task’s does at the start of the run.',
    }),
    student: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Tensor of the student; default: found by topology and stride.',
      }),
    ),
    teacher: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Tensor of the teacher; default: called as the student’s.',
      }),
    ),
    temperature: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 100,
        description: 'Divides logits before they are compared; default 1.',
      }),
    ),
    weighting: Type.Optional(Weighting('Rule of this signal; default: the stage’s.')),
  },
  { additionalProperties: false },
);

/** Beside the options of training. */
export const DISTILL_OPTIONS = {
  teacher: Type.Union(
    [
      Type.Literal('input'),
      Type.Integer({ minimum: 0, maximum: 31 }),
      Type.String({ minLength: 1, maxLength: 4096 }),
    ],
    {
      default: 'input',
      description:
        'The model that teaches. input: the one the job came with; a number: what the stage of that index, from 0, made; else a model by its digest (for lathe run also a path).',
    },
  ),
  signals: Type.Optional(
    Type.Array(SignalOption, {
      minItems: 1,
      maxItems: 16,
      description: 'What student and teacher are compared by. Absent: chosen by the task.',
    }),
  ),
  weighting: Weighting(
    `How strongly the teacher counts beside the labels, step by step. ${ruleNames}`,
    { default: 'gap' },
  ),
} as const;

const teaching = Type.Object(DISTILL_OPTIONS);
export type DistillOptions = Static<typeof teaching>;

export const ruleOf = (option: WeightingName | Rule): Rule =>
  typeof option === 'string' ? { rule: option } : option;
