/** @file Where one image lies in the input before anything is changed. */

import { EVERYWHERE, type Placement, type Size } from './placement.ts';
import type { Scene, Source } from './scene.ts';

/** As preprocessing alone would place it. */
export function plainPlacement({ image, fit }: Source): Placement {
  return {
    x: { scale: fit.width / image.width, shift: fit.left },
    y: { scale: fit.height / image.height, shift: fit.top },
    window: EVERYWHERE,
  };
}

export const plainScene = (sources: readonly Source[], canvas: Size): Scene => ({
  tiles: sources.map((source) => ({ source, place: plainPlacement(source) })),
  canvas,
  colours: [],
});
