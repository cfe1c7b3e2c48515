/** @file Parameters are strict: nothing is dropped, and only query strings are converted, for they are all text. */

import { Ajv } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify';

const strict = { removeAdditional: false, allErrors: true, strict: false, validateFormats: false };
const exact = new Ajv({ ...strict, coerceTypes: false });
const fromText = new Ajv({ ...strict, coerceTypes: 'array', useDefaults: true });

const compiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) =>
  (httpPart === 'querystring' || httpPart === 'headers' ? fromText : exact).compile(schema);

/**
 * Bodies are checked by their own readers (a job spec by `planJob`, uploads as they stream), so the body schemas of
 * routes are documentation. Answers are written as they are: a contract test holds them against their schemas.
 */
export function installValidation(app: FastifyInstance): void {
  app.setValidatorCompiler((route) =>
    route.httpPart === 'body' ? () => true : compiler(route as never),
  );
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}
