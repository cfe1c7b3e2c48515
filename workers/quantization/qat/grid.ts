/** @file The numbers that a tensor may take: whole multiples of a scale, from qn to qp. */

import { FORMATS, type Format } from '../formats.ts';

/** x̂ = s·clip(round(x / s), qn, qp); the code that is stored is that plus the zero point. */
export interface Grid {
  readonly format: Format;
  readonly zeroPoint: number;
  /** Least and largest code, the zero point taken out. */
  readonly qn: number;
  readonly qp: number;
}

/** Largest code of weights whose products must fit 16 bits on CPUs without VNNI. */
const REDUCED = 64;

export const gridOf = (format: Format, zeroPoint: number): Grid => ({
  format,
  zeroPoint,
  qn: FORMATS[format].min - zeroPoint,
  qp: FORMATS[format].max - zeroPoint,
});

/** A grid of 7 bits in a type of 8. */
export const reduced = (grid: Grid): Grid =>
  grid.format === 'int8' ? { ...grid, qn: -REDUCED, qp: REDUCED } : grid;
