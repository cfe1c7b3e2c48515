/** @file How a quantized model computes: what the runtime runs in integers, and what mixed precision bought with what. */

import type { MixedPrecision, StageReport } from '../../src/contract/report.ts';
import { dataTable } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { clip } from './svg.ts';

type Details = StageReport['details'];

interface Run {
  readonly tensor: string;
  readonly op: string;
  readonly as: string | null;
  readonly reason?: string;
}

const SHOWN = 200;

/** Every product as the runtime on the worker runs it (`details.runs`), those in float first. */
export function runtimeOps({ runs }: Details): Markup | '' {
  if (!Array.isArray(runs) || runs.length === 0) return '';
  const all = runs as Run[];
  const float = all.filter(({ as }) => as === null);
  const rows = [...float, ...all.filter(({ as }) => as !== null)]
    .slice(0, SHOWN)
    .map(({ tensor, op, as, reason }) => [
      { text: clip(tensor, 80), alone: true },
      op,
      as ?? 'float',
      { text: reason ?? '', alone: true },
    ]);
  return html`<details><summary>As the runtime runs it: ${all.length - float.length} of ${all.length} products in integers</summary><div class="words">${dataTable(['result', 'op', 'runs as', 'why in float'], rows)}</div></details>`;
}

/** `details.mixed`: every way that was tried, from all in 8 bits on. */
export function paretoCurve({ mixed }: Details): Markup | '' {
  if (typeof mixed !== 'object' || mixed === null) return '';
  const { pareto, budget, held, flips } = mixed as MixedPrecision;
  const limits = Object.entries(budget).map(([name, limit]) => `${name} ${limit}`);
  const rows = pareto.map((t) => [
    String(t.flips),
    `${format.digits(100 * t.convMacs8bit)} %`,
    format.score(t.agreement),
    t.drop === null ? '–' : format.score(t.drop),
    t.held ? 'yes' : 'no',
  ]);
  const head = ['out of 8 bits', 'Conv MACs in 8 bits', 'agreement', 'drop', 'budget held'];
  const names = flips.slice(0, SHOWN).map(({ tensor, to }) => `${clip(tensor, 80)} (${to})`);
  return html`<h4>What accuracy costs</h4><p class="soft">Judged on the tune images. Budget: ${limits.join(', ')}; the model that was kept ${held ? 'holds it' : 'does not hold it'}.</p>${dataTable(head, rows)}${names.length > 0 ? html`<p class="soft">Taken out of 8 bits: ${names.join(', ')}.</p>` : ''}`;
}
