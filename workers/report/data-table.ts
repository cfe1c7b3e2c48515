/** @file Tables that become one small block per row where the screen is too narrow for their columns. */

import * as format from './format.ts';
import { html, type Markup } from './markup.ts';

export interface Cell {
  readonly text: string;
  readonly tone?: 'good' | 'bad' | 'soft';
  /** On a phone the cell takes the whole width of its block. */
  readonly alone?: boolean;
}

/** @param head one name per column; the first column names the row */
export function dataTable(
  head: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
): Markup {
  const cell = (given: string | Cell, column: number) => {
    const { text, tone, alone } = typeof given === 'string' ? ({ text: given } as Cell) : given;
    const name = [tone, alone && 'alone'].filter((c) => c).join(' ');
    return html`<td data-label="${head[column]}"${name ? html` class="${name}"` : ''}>${text}</td>`;
  };
  const body = rows.map((row) => html`<tr>${row.map(cell)}</tr>`);
  return html`<div class="wide"><table class="stack"><thead><tr>${head.map((h) => html`<th scope="col">${h}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`;
}

type Score = number | null | undefined;

/** Before, after and change of a score, as three cells; a change that does not show in three places is no change. */
export function scoreCells(before: Score, after: Score): Cell[] {
  const shown = (x: Score): Cell => ({
    text: x === null || x === undefined ? '–' : format.score(x),
  });
  if (typeof before !== 'number' || typeof after !== 'number')
    return [shown(before), shown(after), { text: '–', tone: 'soft' }];
  const change = after - before;
  const tone = Math.abs(change) < 0.0005 ? 'soft' : change < 0 ? 'bad' : 'good';
  return [shown(before), shown(after), { text: format.signed(change), tone }];
}
