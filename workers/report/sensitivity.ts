/** @file What removal does to each group of channels by itself: the curves that a search went by. */

import type { StageReport } from '../../src/contract/report.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { clip } from './svg.ts';

interface Point {
  readonly removed: number;
  readonly loss: number;
}

interface Curve {
  readonly group: string;
  readonly points: readonly Point[];
}

const SHOWN = 40;
const [WIDTH, HEIGHT] = [120, 24];

/** One row per group (`details.sensitivity`), the most sensitive first: the loss over the channels that go, all on one scale. */
export function sensitivity({ sensitivity: curves }: StageReport['details']): Markup | '' {
  if (!Array.isArray(curves) || curves.length === 0) return '';
  const rise = ({ points }: Curve) => points.at(-1)!.loss - points[0]!.loss;
  const sorted = (curves as Curve[]).toSorted((a, b) => rise(b) - rise(a));
  const losses = sorted.flatMap(({ points }) => points.map(({ loss }) => loss));
  const [least, most] = [Math.min(...losses), Math.max(...losses)];
  const rows = sorted
    .slice(0, SHOWN)
    .map(
      ({ group, points }) =>
        html`<tr><td>${clip(group, 80)}</td><td>${points.at(-1)!.removed}</td><td>${format.digits(points[0]!.loss)} → ${format.digits(points.at(-1)!.loss)}</td><td>${spark(points, least, most)}</td></tr>`,
    );
  return html`<details><summary>Sensitivity of ${sorted.length} groups of channels</summary><p class="soft">Loss on calibration images with the least important channels of one group alone masked to zero, the most sensitive groups first.</p><table><thead><tr><th scope="col">group</th><th scope="col">channels gone</th><th scope="col">loss</th><th scope="col">curve</th></tr></thead><tbody>${rows}</tbody></table></details>`;
}

function spark(points: readonly Point[], least: number, most: number): Markup {
  const last = Math.max(1, points.at(-1)!.removed);
  const x = (removed: number) => (1 + (removed / last) * (WIDTH - 2)).toFixed(1);
  const y = (loss: number) =>
    (HEIGHT - 2 - ((loss - least) / (most - least || 1)) * (HEIGHT - 4)).toFixed(1);
  const d = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${x(p.removed)} ${y(p.loss)}`).join('');
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="loss over channels gone"><path d="${d}" fill="none" stroke="var(--after)" stroke-width="1.5"/></svg>`;
}
