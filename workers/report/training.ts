/** @file What a stage that trains says: how long, from where to where, and the curve. */

import type { StageReport } from '../../src/contract/report.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { curves } from './svg.ts';

interface Point {
  readonly step: number;
  readonly loss: number;
  readonly tune: number;
}

interface TrainingDetails {
  readonly loss: string;
  readonly metric: string;
  readonly steps: number;
  readonly epochs: number;
  readonly lr: number;
  readonly before: number;
  readonly best: number;
  readonly bestStep: number;
  readonly secondsPerStep: number;
  readonly curve: readonly Point[];
}

/** Metric on the tune images and loss (as a share of its largest mean) over the steps. */
export function training(details: StageReport['details']): Markup | '' {
  const d = details as unknown as TrainingDetails;
  if (!Array.isArray(d.curve) || typeof d.metric !== 'string') return '';
  const words = html`<p>Trained ${d.steps} steps (${format.digits(d.epochs)} epochs, loss ${d.loss}, peak rate ${d.lr}, ${format.digits(d.secondsPerStep)} s a step). ${format.metricName(d.metric)} on the tune images: ${d.before.toFixed(4)} before, ${d.best.toFixed(4)} at best${d.bestStep === 0 ? '; the weights stay as they came' : ` (step ${d.bestStep}, kept)`}.</p>`;
  if (d.curve.length < 2) return words;
  const most = Math.max(1e-12, ...d.curve.map((p) => p.loss));
  const chart = curves('Over the run', `steps (1 = ${d.curve.at(-1)!.step})`, 'share', [
    {
      label: `${format.metricName(d.metric)} on tune`,
      colour: 'var(--after)',
      y: [d.before, ...d.curve.map((p) => p.tune)],
    },
    {
      label: `loss (1 = ${format.digits(most)})`,
      colour: 'var(--before)',
      y: d.curve.map((p) => p.loss / most),
    },
  ]);
  return html`${words}${chart}`;
}

/** The same of training between rounds of pruning (`details.rounds[].training`). */
export function trainingOfRounds({ rounds }: StageReport['details']): Markup | '' {
  if (!Array.isArray(rounds)) return '';
  const told = (rounds as { readonly training?: StageReport['details'] }[]).flatMap(
    ({ training: of }, i) => (of ? [html`<h4>Round ${i + 1}</h4>${training(of)}`] : []),
  );
  return told.length > 0 ? html`${told}` : '';
}

/** Details that are told here and not again. */
export const TRAINING_TOLD = [
  ...['loss', 'metric', 'steps', 'epochs', 'lr', 'before', 'best', 'bestStep'],
  ...['secondsPerStep', 'curve'],
] as const;
