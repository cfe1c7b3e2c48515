import {
  initialV,
  reconstruction,
  regularizer,
  roundingOf,
  softWeights,
} from '../../../workers/quantization/adaround/soft-rounding.ts';
import {
  codesOf,
  learnedStep,
  learnedStepGradients,
  straightThrough,
} from '../../../workers/quantization/fake-quantize.ts';
import type { Format } from '../../../workers/quantization/formats.ts';
import { decode, type Quantizer } from '../../../workers/quantization/scale.ts';
import { expectWithin, type OracleTensor } from './tolerance.ts';

/** Channel of element i along `axis`; 0 where there is one scale for all. */
function channelAlong(shape: readonly number[], axis: number | undefined) {
  if (axis === undefined) return () => 0;
  const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  return (i: number) => Math.floor(i / inner) % shape[axis]!;
}

export interface AdaroundCase {
  readonly weight: OracleTensor;
  readonly scale: OracleTensor;
  readonly V: OracleTensor;
  /** Only in the case of the starting point. */
  readonly floor?: OracleTensor;
  readonly fraction?: OracleTensor;
  readonly x: OracleTensor;
  readonly beta: number;
  readonly lambda_: number;
  readonly qn: number;
  readonly qp: number;
  readonly h: OracleTensor;
  readonly dh_dV: OracleTensor;
  readonly soft_weight: OracleTensor;
  readonly hard_q: OracleTensor;
  readonly regularizer: number;
  readonly regularizer_grad: OracleTensor;
  readonly reconstruction: number;
  readonly reconstruction_grad: OracleTensor;
  readonly loss: number;
  readonly loss_grad: OracleTensor;
}

export function adaround(c: AdaroundCase): void {
  if (c.fraction) {
    expectWithin(Array.from(c.fraction.data, initialV), c.V.data, { abs: 2e-5 });
    return;
  }
  const v = c.V.data;
  const weights = { weight: c.weight.data, scales: c.scale.data, v, qn: c.qn, qp: c.qp };
  const { soft, codes } = softWeights(weights);
  const pull = regularizer(v, c.beta);
  const fit = reconstruction(weights, c.x.data);
  const close = { relOfMax: 1e-5 };

  expectWithin(
    Array.from(v, (x) => roundingOf(x).h),
    c.h.data,
    close,
  );
  expectWithin(
    Array.from(v, (x) => roundingOf(x).slope),
    c.dh_dV.data,
    close,
  );
  expectWithin(soft, c.soft_weight.data, close);
  expectWithin(codes, c.hard_q.data, {});
  expectWithin(
    [pull.value, fit.value, fit.value + c.lambda_ * pull.value],
    [c.regularizer, c.reconstruction, c.loss],
    { rel: 1e-5 },
  );
  expectWithin(pull.gradient, c.regularizer_grad.data, close);
  expectWithin(fit.gradient, c.reconstruction_grad.data, close);
  expectWithin(
    fit.gradient.map((g, i) => g + c.lambda_ * pull.gradient[i]!),
    c.loss_grad.data,
    close,
  );
}

export interface LsqCase {
  readonly qn: number;
  readonly qp: number;
  readonly axis?: number;
  readonly x: OracleTensor;
  readonly scale: OracleTensor;
  readonly upstream: OracleTensor;
  readonly y: OracleTensor;
  readonly grad_x: OracleTensor;
  readonly grad_scale: OracleTensor;
}

export function lsq(c: LsqCase): void {
  const channelOf = channelAlong(c.x.shape, c.scale.data.length > 1 ? (c.axis ?? 0) : undefined);
  const step = { qn: c.qn, qp: c.qp, channelOf, scales: c.scale.data };
  const { dx, ds } = learnedStepGradients(c.x.data, c.upstream.data, step);

  expectWithin(learnedStep(c.x.data, step), c.y.data, { relOfMax: 1e-6 });
  expectWithin(dx, c.grad_x.data, { relOfMax: 2e-5 });
  expectWithin(ds, c.grad_scale.data, { relOfMax: 2e-5 });
}

export interface SteCase {
  readonly type: Format;
  readonly zero_point: number;
  readonly axis?: number;
  readonly x: OracleTensor;
  readonly scale: OracleTensor;
  readonly upstream: OracleTensor;
  readonly q: OracleTensor;
  readonly y: OracleTensor;
  readonly grad_x: OracleTensor;
}

export function ste(c: SteCase): void {
  const channelOf = channelAlong(c.x.shape, c.axis);
  const quantizerOf = (i: number): Quantizer => ({
    format: c.type,
    scale: c.scale.data[channelOf(i)]!,
    zeroPoint: c.zero_point,
  });
  const codes = codesOf(c.x.data, quantizerOf);

  expectWithin(codes, c.q.data, {});
  expectWithin(
    Array.from(codes, (q, i) => decode(q, quantizerOf(i))),
    c.y.data,
    { relOfMax: 1e-6 },
  );
  expectWithin(straightThrough(c.x.data, c.upstream.data, quantizerOf), c.grad_x.data, {});
}
