import type { Calibrator } from './calibrator.ts';
import { leastError } from './mse.ts';

/** Above 2, large errors count more: the range is clipped less than by `mse`. */
const POWER = 2.4;

/** The clip range with the least mean |f(x) − f(x̂)|^2.4. Source: Nahshan et al., Loss Aware Post-training Quantization, 2019, https://arxiv.org/abs/1911.07190 */
export const lpNorm: Calibrator = (histogram, context) => leastError(histogram, context, POWER);
