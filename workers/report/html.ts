/** @file report.html: the whole report in one file, without scripts and without anything from elsewhere. */

import type { Report } from '../../src/contract/report.ts';
import { classes } from './classes.ts';
import { environment } from './environment.ts';
import { glance, verdict } from './glance.ts';
import { ledger } from './ledger.ts';
import { html, Markup } from './markup.ts';
import { metrics } from './metrics.ts';
import { samples } from './samples.ts';
import { stages } from './stages.ts';
import { STYLE } from './style.ts';

/** A browser that honours it runs no script and loads nothing, whatever text the model brought along. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

export function renderHtml(report: Report): string {
  const title = `${report.name ?? 'model'}: ${report.stages.map((s) => s.stage).join(', ') || 'no stages'}`;
  const warnings = report.warnings.map((w) => html`<p class="warn">${w}</p>`);
  const page = html`<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="Content-Security-Policy" content="${POLICY}"><meta name="referrer" content="no-referrer"><title>Lathe report: ${title}</title><style>${new Markup(STYLE)}</style></head><body><main>
<header><h1>${report.name ?? 'Model'}</h1><p class="soft">Lathe report${report.job ? ` of ${report.job}` : ''} · ${report.environment.startedAt.slice(0, 10)} · ${report.task}</p></header>
${verdict(report)}${glance(report)}${warnings}${ledger(report)}${stages(report)}${metrics(report)}${classes(report)}${samples(report)}${environment(report)}
</main></body></html>`;
  return `<!doctype html>\n${page.text}\n`;
}
