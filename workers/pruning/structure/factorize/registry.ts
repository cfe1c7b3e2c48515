/** @file Forms of factorized layers, one line each. */

import type { Form } from './form.ts';
import { channel, spatial, svd } from './matrix-forms.ts';
import { tucker2 } from './tucker.ts';

export const FORMS = {
  svd,
  channel,
  spatial,
  tucker2,
} as const satisfies Record<string, Form>;
