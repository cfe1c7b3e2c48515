/** @file How the accuracy budget was spent, stage by stage. */

import type { Report } from '../../src/contract/report.ts';
import { dataTable } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';

export function ledger({ ledger: kept, stages }: Report): Markup | '' {
  if (!kept || kept.entries.length === 0) return '';
  const name = (index: number) =>
    index < 0 ? 'the input' : `${index + 1}. ${stages[index]?.stage ?? ''}`;
  const rows = kept.entries.map(({ index, after, spent, left, steppedBackTo }) => [
    name(index),
    format.score(after),
    format.signed(-spent),
    format.signed(left),
    steppedBackTo === null ? 'kept' : `not kept: on from ${name(steppedBackTo)}`,
  ]);
  const metric = format.metricName(kept.metric);
  return html`<h2>Accuracy budget</h2><p class="soft">${metric} on ${kept.images} tune images, a part of train: ${format.score(kept.before)} before the first stage, of which ${format.digits(kept.maxDrop)} may be lost.</p>${dataTable(['stage', metric, 'change', 'left', ''], rows)}`;
}
