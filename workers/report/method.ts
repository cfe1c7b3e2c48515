/** @file How far a quantization that learns went: each step with its accuracy, why it ended, and the curve of its training. */

import type { StageReport } from '../../src/contract/report.ts';
import { dataTable } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { training } from './training.ts';

type Details = StageReport['details'];

interface Step {
  readonly step: string;
  readonly agreement: number;
  readonly drop: number | null;
  readonly held: boolean;
  readonly seconds: number;
}

/** `details.steps`, `details.why` and `details.qat`. */
export function methodSteps({ steps, kept, why, qat }: Details): Markup | '' {
  if (!Array.isArray(steps) || typeof why !== 'string') return '';
  const rows = (steps as Step[]).map((s) => [
    s.step === kept ? `${s.step} (kept)` : s.step,
    s.agreement.toFixed(4),
    s.drop === null ? '–' : s.drop.toFixed(4),
    s.held ? 'yes' : 'no',
    format.seconds(s.seconds),
  ]);
  const head = ['step', 'agreement', 'drop', 'budget holds', 'took'];
  const trained = typeof qat === 'object' && qat !== null ? training(qat as Details) : '';
  return html`<h3>Steps of quantization</h3><p>${capital(why)}.</p>${dataTable(head, rows)}${trained}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Details that are told here and not again. */
export const METHOD_TOLD = ['kept', 'why', 'qat'] as const;
