import {
  channelStatistics,
  foldInto,
  substitute,
} from '../../../workers/pruning/compensation/channels.ts';
import { Products } from '../../../workers/pruning/compensation/gemm.ts';
import { expectWithin, type OracleTensor } from './tolerance.ts';

interface Case {
  readonly ridge_lambda: number;
  readonly tolerance: {
    readonly A_abs: number;
    readonly bias_abs: number;
  };
  /** (samples, C), or NCHW: samples are then all positions of all images. */
  readonly X?: OracleTensor;
  readonly activation_nchw?: OracleTensor;
  readonly kept: OracleTensor;
  readonly removed: OracleTensor;
  readonly A: OracleTensor;
  readonly r: OracleTensor;
  readonly consumer: {
    readonly weight_out_in?: OracleTensor;
    readonly weight_oihw?: OracleTensor;
    readonly bias: OracleTensor;
    readonly weight_after: OracleTensor;
    readonly bias_after: OracleTensor;
  };
}

export async function compensation(c: Case): Promise<void> {
  const [kept, removed] = [Array.from(c.kept.data), Array.from(c.removed.data)];
  const channels = kept.length + removed.length;
  const products = await Products.open(1);
  const x = c.X?.data ?? channelsLast(c.activation_nchw!);
  const statistics = channelStatistics(x, channels);
  const found = await substitute(statistics, kept, removed, c.ridge_lambda, products);
  await products.release();

  expectWithin(found!.a.data, c.A, c.tolerance.A_abs, 'A');
  expectWithin(found!.r, c.r, c.tolerance.bias_abs, 'r');

  const weight = c.consumer.weight_out_in ?? c.consumer.weight_oihw!;
  const taps = weight.data.length / (weight.shape[0]! * channels);
  const after = foldInto(weight.data, c.consumer.bias.data, taps, kept, removed, found!);
  const most = Math.max(...Array.from(weight.data, Math.abs));
  expectWithin(
    after.weight,
    c.consumer.weight_after,
    c.tolerance.A_abs * removed.length * most,
    'weight',
  );
  expectWithin(
    after.bias,
    c.consumer.bias_after,
    c.tolerance.bias_abs * removed.length * taps * most,
    'bias',
  );
}

function channelsLast({ shape, data }: OracleTensor): Float64Array {
  const [n, channels, ...rest] = shape as [number, number, ...number[]];
  const inner = rest.reduce((a, d) => a * d, 1);
  return Float64Array.from({ length: n * channels * inner }, (_, k) => {
    const [position, c] = [Math.floor(k / channels), k % channels];
    const [image, p] = [Math.floor(position / inner), position % inner];
    return data[(image * channels + c) * inner + p]!;
  });
}
