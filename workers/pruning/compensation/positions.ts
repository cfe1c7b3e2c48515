/** @file Which output positions of a layer least squares looks at. */

import type { Value } from '../../onnx/graph.ts';
import { range } from '../../onnx/static-shapes.ts';
import { type Random, random } from '../../runtime/random.ts';
import type { Observer, Tap } from '../criteria/observe/reductions.ts';

/**
 * @param image  number of the calibration image
 * @param output name of the layer's output
 * @param total  its positions: batch × spatial, or rows
 * @returns `count` of them, rising; a position may stand several times
 */
export type Positions = (
  image: number,
  output: string,
  total: number,
  count: number,
  rng: Random,
) => readonly number[];

/** Each position with the same chance, at most once. */
export const anywhere: Positions = (_, __, total, count, rng) => {
  if (count >= total) return range(total);
  // Floyd's algorithm: no list of all positions.
  const chosen = new Set<number>();
  for (let last = total - count; last < total; last++) {
    const drawn = rng.below(last + 1);
    chosen.add(chosen.has(drawn) ? last : drawn);
  }
  return [...chosen].sort((a, b) => a - b);
};

/** Share of the positions that is drawn by sensitivity; the others are drawn anywhere, so that no region is left out. */
const SHARE = 0.5;

export interface SensitiveOptions {
  /** Output positions per layer, over all images, as `compensate` has it. */
  readonly patches: number;
  /** Calibration images. */
  readonly images: number;
  readonly seed: number;
}

/** Looks on while a criterion's images pass by (`beside` of scoreGroups), and then knows the positions. */
export interface SensitivityWatch extends Observer {
  readonly positions: Positions;
}

/**
 * Positions drawn where the loss is sensitive to the layer's output: with s_p = Σ_channels (∂L/∂y_p)²
 *
 *     P(p) = ½·1/positions + ½·s_p / Σ s
 *
 * Most of a picture is background that any weights get right; least squares over it says little about objects. Sampling by weight
 * amounts to least squares with these weights. Memory: the chosen positions, whose number does not depend on that of images.
 *
 * @param layers outputs of a model's layers and the axis of their channels: `layerOutputs` (pairs.ts)
 */
export function watchSensitivity(
  layers: readonly { readonly output: Value; readonly outputAxis: number }[],
  { patches, images, seed }: SensitiveOptions,
): SensitivityWatch {
  const taps = layers.map(
    ({ output, outputAxis }): Tap => ({ reduce: 'sensitivity', value: output, axis: outputAxis }),
  );
  const rng = random(seed);
  const most = Math.ceil(patches / images);
  const chosen: Map<string, Int32Array>[] = [];
  return {
    taps,
    see(numbers, image) {
      chosen[image] = new Map(
        taps.map(({ value }, i) => {
          const sensitivity = numbers[i]!;
          return [value.name, drawn(sensitivity, Math.min(most, sensitivity.length), rng)];
        }),
      );
    },
    positions(image, output, total, count, fallback) {
      const known = chosen[image]?.get(output);
      return known?.length === count
        ? Array.from(known)
        : anywhere(image, output, total, count, fallback);
    },
  };
}

/** `count` places by weight, at even steps through the cumulated weights from a random start. */
export function drawn(weights: ArrayLike<number>, count: number, rng: Random): Int32Array {
  const places = weights.length;
  let sum = 0;
  for (let p = 0; p < places; p++) sum += weights[p]!;
  const share = sum > 0 ? SHARE : 0;
  const out = new Int32Array(count);
  const start = rng.uniform();
  let [taken, reached] = [0, 0];
  for (let p = 0; p < places && taken < count; p++) {
    reached += count * ((1 - share) / places + (share > 0 ? (share * weights[p]!) / sum : 0));
    while (taken < count && taken + start < reached) out[taken++] = p;
  }
  return out.fill(places - 1, taken);
}
