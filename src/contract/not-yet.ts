/** @file What the specification of jobs names and this version does not build: refused by a name of its own. */

/** Fields of the job spec. */
export const FIELDS_TO_COME: readonly string[] = [];

/** Stages. */
export const STAGES_TO_COME: readonly string[] = [];

/** Options of stages: any value of the option (`true`), or single values. */
export const OPTIONS_TO_COME: Readonly<
  Record<string, Readonly<Record<string, true | readonly string[]>>>
> = {};
