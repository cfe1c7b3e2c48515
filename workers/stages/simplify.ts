/** @file Stage `simplify`: the same function in fewer nodes and bytes, and at another input size if asked. */

import { type Static, Type } from 'typebox';
import { ServiceError } from '../../src/contract/errors.ts';
import type { Model } from '../onnx/graph.ts';
import { dequantize as dequantizeModel } from '../passes/dequantize.ts';
import { planInputShape, setInputShape } from '../passes/input-shape.ts';
import { type Simplified, simplify as simplifyModel } from '../passes/simplify.ts';
import type { RunContext } from '../runtime/context.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { defineStage } from './stage.ts';

const Dims = Type.Array(Type.Integer({ minimum: -1 }), { minItems: 1, maxItems: 8 });

const options = Type.Object(
  {
    inputShape: Type.Optional(
      Type.Union([Dims, Type.Record(Type.String({ minLength: 1 }), Dims)], {
        description:
          'Shape of the input, or input name → shape: [1, 3, 320, 320]. Fixes open axes and changes the size of ' +
          'models that were exported at another one; -1 leaves an axis as it is. Default: shapes stay.',
      }),
    ),
    dequantize: Type.Boolean({
      default: false,
      description:
        'Whether a quantized model becomes float again: its weights the numbers that their codes stand for.',
    }),
  },
  { additionalProperties: false },
);

export const simplify = defineStage({
  name: 'simplify',
  version: 1,
  summary: 'Fold, merge and remove what the outputs do not need; set the input shape.',
  options,
  accuracy: 'keeps',

  prepare(model, { inputShape }) {
    if (inputShape) planInputShape(model, inputShape);
  },

  async run(model, { inputShape, dequantize }, ctx) {
    const cost = { seed: ctx.seed, threads: ctx.threads, signal: ctx.signal };
    let given = model;
    const dequantized = dequantize ? await toFloat(model, ctx) : 0;
    let resized: Readonly<Record<string, unknown>> = {};
    if (inputShape) {
      ctx.progress(0, 'setting the input shape');
      const fixed = await setInputShape(model, inputShape, cost);
      for (const note of fixed.notes) ctx.info(note);
      given = fixed.model;
      resized = { inputShape: fixed.inputs, constants: fixed.constants };
    }
    const result = await simplifyModel(given, {
      ...cost,
      mayGrow: inputShape !== undefined || dequantized > 0,
      progress: (done, doing) => ctx.progress(done, doing),
    });
    for (const { pass, why } of result.rolledBack)
      ctx.warn(`The pass '${pass}' was rolled back: ${why}.`);
    return { model: result.model, details: { ...resized, dequantized, ...details(result) } };
  },

  ensures: expectSamePorts,
});

/** @returns how many quantized nodes there were */
async function toFloat(model: Model, ctx: RunContext): Promise<number> {
  ctx.progress(0, 'making weights float again');
  await inferTypes(model);
  const count = dequantizeModel(model);
  if (count === 0) ctx.info('Nothing is quantized: the model is float already.');
  return count;
}

/** `stages[].details` of the report. */
function details({ applied, rolledBack, declined, nodes, bytes }: Simplified) {
  return { passes: applied, rolledBack, declined, nodes, bytes };
}

export type SimplifyOptions = Static<typeof options>;

/** Names and element types stay, whatever the shape became. */
function expectSamePorts(before: Model, after: Model): void {
  const ports = ({ graph }: Model) =>
    [...graph.inputs.filter((v) => !v.constant), ...graph.outputs].map(
      ({ name, type }) => `${name}: ${type?.kind === 'tensor' ? type.dtype : '?'}`,
    );
  const [was, is] = [ports(before), ports(after)];
  if (`${was}` !== `${is}`)
    throw new ServiceError('INTERNAL', { what: `simplify changed the ports ${was} to ${is}` });
}
