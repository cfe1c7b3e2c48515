/** @file What a stage is: options with a schema, one run, one promise. */

import type { Static, TObject } from 'typebox';
import type { Model } from '../onnx/graph.ts';
import type { RunContext } from '../runtime/context.ts';

export interface StageResult {
  readonly model: Model;
  /** `details` of report.json. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Stage<Options extends TObject = TObject> {
  readonly name: string;
  /** Raise it when the same options would give another result: part of the stage cache key. */
  readonly version: number;
  readonly summary: string;
  /** TypeBox object, additionalProperties false, a description with unit and a default for each option. */
  readonly options: Options;
  /** JSON Schema: options that match it need training images. Absent: the stage never does. */
  readonly needsImages?: Readonly<Record<string, unknown>>;
  /** JSON Schema: what options that match it give depends on the accuracy budget (`ctx.budget`). Absent: on nothing but options. */
  readonly needsBudget?: Readonly<Record<string, unknown>>;
  /** 'keeps': what the model says stays the same; 'wins': it trains, and wins accuracy back. Absent: it spends some. */
  readonly accuracy?: 'keeps' | 'wins';
  /** Check options against the model before any work. */
  prepare?(model: Model, options: Static<Options>): void;
  /** `model` is the stage's own: it may be changed in place. */
  run(model: Model, options: Static<Options>, ctx: RunContext): Promise<StageResult>;
  /** What must hold of the result, whatever the options: throws INTERNAL where it does not. */
  ensures(before: Model, after: Model): void;
}

/** Types a stage's own code by its options; the registry holds plain `Stage`s. */
export function defineStage<Options extends TObject>(stage: Stage<Options>): Stage {
  return stage as unknown as Stage;
}
