/** @file What a stage says of its teacher: who it was, how good, and how strongly each signal counted. */

import type { StageReport } from '../../src/contract/report.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { curves } from './svg.ts';

interface TeachingDetails {
  readonly metric: string;
  readonly teacher: { readonly model: string; readonly description: string; readonly tune: number };
  readonly signals: readonly {
    readonly name: string;
    readonly weighting: string;
    readonly pairs: readonly string[];
  }[];
  readonly images: { readonly fit: number; readonly unlabelled: number };
  readonly curve: readonly Readonly<Record<string, number>>[];
}

const COLOURS = ['var(--after)', 'var(--before)', 'var(--good)', 'var(--bad)'] as const;

export function teaching(details: StageReport['details']): Markup | '' {
  const d = details as unknown as TeachingDetails;
  if (typeof d.teacher?.model !== 'string' || !Array.isArray(d.signals)) return '';
  const rows = d.signals.map(
    ({ name, weighting, pairs }) =>
      html`<li><code>${name}</code> (${weighting}): ${pairs.slice(0, 6).join('; ')}</li>`,
  );
  const mix =
    d.images.unlabelled > 0
      ? html` ${d.images.unlabelled} of ${d.images.fit + d.images.unlabelled} training images had no labels: the teacher alone said what is on them.`
      : '';
  return html`<p>Taught by ${d.teacher.model} (${d.teacher.description}), whose ${format.metricName(d.metric)} on the tune images is ${d.teacher.tune.toFixed(4)}, by these signals:${mix}</p><ul>${rows}</ul>${weights(d)}`;
}

/** λ of every signal over the run, as a share of the largest. */
function weights({ curve, signals }: TeachingDetails): Markup | '' {
  const of = (name: string) => curve.map((point) => point[`lambda/${name}`] ?? 0);
  const lines = signals.slice(0, COLOURS.length).map(({ name }) => ({ name, y: of(name) }));
  if (curve.length < 2) return '';
  const most = Math.max(1e-12, ...lines.flatMap(({ y }) => y));
  return curves(
    'Weights of the signals',
    `steps (1 = ${curve.at(-1)!['step']})`,
    `λ (1 = ${format.digits(most)})`,
    lines.map(({ name, y }, i) => ({
      label: name,
      colour: COLOURS[i]!,
      y: y.map((x) => x / most),
    })),
  );
}

/** Details that are told here and not again. */
export const TEACHING_TOLD = ['teacher', 'signals'] as const;
