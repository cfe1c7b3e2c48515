/** @file Weights that are also declared as inputs, as IR 3 asked and some exporters still do. */

import type { Pass } from './pass.ts';

/** Since IR 4 a constant need not be an input. Runtimes treat one that is as something a caller may replace, and fold nothing. */
export const freezeDefaults: Pass = {
  summary: 'make constants of weights that were declared as inputs with a default',
  run(model) {
    const { graph } = model;
    const given = graph.inputs.filter((v) => !v.constant);
    const frozen = graph.inputs.length - given.length;
    graph.inputs = given;
    if (frozen > 0) model.irVersion = Math.max(model.irVersion, 4);
    return frozen;
  },
};
