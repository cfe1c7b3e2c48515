import { bias, biasCorrection, sqnr } from './bias.ts';
import { calibrator } from './calibrator.ts';
import { adaround, lsq, ste } from './learned.ts';
import { qdqGraph } from './qdq-graph.ts';
import { rounding } from './rounding.ts';

/** `family` of a case → its check. */
export const FAMILIES = {
  adaround,
  bias,
  bias_correction: biasCorrection,
  calibrator,
  lsq,
  qdq_graph: qdqGraph,
  rounding,
  sqnr,
  ste,
} as const;
