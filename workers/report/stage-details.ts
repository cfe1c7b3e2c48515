/** @file What a stage says of its own work: in words where the words are known, else as it said it. */

import type { StageReport } from '../../src/contract/report.ts';
import { dataTable } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { METHOD_TOLD } from './method.ts';
import { clip } from './svg.ts';
import { TEACHING_TOLD } from './teaching.ts';
import { TRAINING_TOLD } from './training.ts';

type Details = StageReport['details'];

const WORST = 10;
const NAMES_PER_REASON = 12;

/** How much of the model computes in integers. */
export function integerShare({
  convMacs8bit: share,
  convs,
  fusedConvs: fused,
}: Details): Markup | '' {
  if (typeof share !== 'number') return '';
  const counts =
    typeof convs === 'number' && typeof fused === 'number'
      ? `; the runtime fuses ${fused} of ${convs} convolutions`
      : '';
  return html`<p>${format.digits(100 * share)} % of the multiply-accumulates of convolutions run in 8 bits${counts}.</p>`;
}

interface Loss {
  readonly tensor: string;
  readonly sqnrDb: number;
}

/** The tensors that a stage hurt most, where it says so (`details.tensors`, worst first). */
export function losses({ tensors }: Details): Markup | '' {
  if (!Array.isArray(tensors)) return '';
  const known = (tensors as Loss[]).filter((t) => typeof t.sqnrDb === 'number');
  if (known.length === 0) return '';
  const rows = known
    .toSorted((a, b) => a.sqnrDb - b.sqnrDb)
    .slice(0, WORST)
    .map((t) => html`<tr><td>${clip(t.tensor, 80)}</td><td>${t.sqnrDb.toFixed(1)} dB</td></tr>`);
  return html`<h3>Largest losses per tensor</h3><p class="soft">Signal to rounding noise (SQNR) on the calibration images: the ${rows.length} lowest of ${known.length} tensors; less means more was lost.</p><table><thead><tr><th scope="col">tensor</th><th scope="col">SQNR</th></tr></thead><tbody>${rows}</tbody></table>`;
}

interface Kept {
  readonly tensor: string;
  readonly reason: string;
}

/** What stayed in float (`details.float`), by reason. */
export function keptFloat({ float }: Details): Markup | '' {
  if (!Array.isArray(float) || float.length === 0) return '';
  const reasons = new Map<string, string[]>();
  for (const { tensor, reason } of float as Kept[]) {
    const names = reasons.get(String(reason)) ?? [];
    reasons.set(String(reason), [...names, String(tensor)]);
  }
  const rows = [...reasons].map(([reason, names]) => {
    const more = names.length - NAMES_PER_REASON;
    const shown = names.slice(0, NAMES_PER_REASON).map((n) => clip(n, 80));
    return [
      reason,
      { text: String(names.length) },
      { text: `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`, alone: true },
    ];
  });
  return html`<details><summary>Kept in float: ${float.length} tensors</summary><div class="words">${dataTable(['reason', 'tensors', 'names'], rows)}</div></details>`;
}

const TOLD: ReadonlySet<string> = new Set([
  'tensors',
  'float',
  'convMacs8bit',
  'convs',
  'fusedConvs',
  'sensitivity',
  'mixed',
  'runs',
  ...TRAINING_TOLD,
  ...TEACHING_TOLD,
  ...METHOD_TOLD,
]);
const LONGEST = 6000;

/** Everything else, folded. */
export function otherDetails(details: Details): Markup | '' {
  const rest = Object.entries(details).filter(
    ([name, value]) => !TOLD.has(name) && !isEmpty(value),
  );
  if (rest.length === 0) return '';
  const text = (value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? format.digits(value) : String(value);
  const plain = rest.filter(([, v]) => typeof v !== 'object');
  const nested = rest.filter(([, v]) => typeof v === 'object');
  return html`<details><summary>Details</summary><dl>${plain.map(([k, v]) => html`<dt>${k}</dt><dd>${text(v)}</dd>`)}</dl>${nested.map(([k, v]) => html`<p class="soft">${k}</p><pre>${clip(JSON.stringify(v, null, 1), LONGEST)}</pre>`)}</details>`;
}

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (typeof value === 'object' && Object.keys(value).length === 0);
