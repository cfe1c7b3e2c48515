/** @file How many channels go at once, and how many stay at least. */

import type { Group } from './coupling/groups.ts';

/** What rules of width look at. */
export type Sizes = Pick<Group, 'size' | 'unit'>;

/** Channels per step: fills the vectors of most targets. */
const STEP = 8;
/** Step of small groups, where cost on paper counts rather than vectors. */
const SMALL = { size: 32, step: 4 };
/** Widths that onnxruntime pads to on CPUs with AVX-512: others cost as much as the next multiple. */
const VECTOR = 16;

/** Whole multiples of `unit` channels, near `wanted`. */
const whole = (wanted: number, unit: number) => Math.max(unit, Math.ceil(wanted / unit) * unit);

/** @param measured whether the target is a time: then the widths that count are those that the runtime pads to */
export const chunkOf =
  (multipleOf: number | 'auto', measured: boolean) =>
  ({ size, unit }: Sizes): number => {
    if (multipleOf !== 'auto') return whole(multipleOf, unit);
    if (measured) return whole(size >= 2 * VECTOR ? VECTOR : STEP, unit);
    return whole(size <= SMALL.size ? SMALL.step : STEP, unit);
  };

/** At least 8 channels, and a share that falls with the target: half of a group for mild cuts. */
export const floorOf =
  (share: number) =>
  ({ size, unit }: Sizes): number =>
    whole(Math.max(Math.min(STEP, size / 2), size * Math.min(0.5, 0.7 * share)), unit);

/** Where whole chunks would go too far: one channel at a time, unless the width has to be a multiple. */
export const grainOf =
  (multipleOf: number | 'auto', measured: boolean) =>
  (group: Sizes): number =>
    multipleOf === 'auto' && !measured ? group.unit : chunkOf(multipleOf, measured)(group);
