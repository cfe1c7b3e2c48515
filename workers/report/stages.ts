/** @file A section per stage: a chart of what it cost and gave, its figures, its options. */

import type { Report, StageReport } from '../../src/contract/report.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { type Bar, bars, clip } from './svg.ts';

const BEFORE = 'var(--before)';
const AFTER = 'var(--after)';

export function stages(report: Report): Markup {
  const sections = report.stages.map((stage, i) => section(report, stage, i));
  return html`<h2>Stages</h2>${overview(report)}${sections}`;
}

/** One row per model on the way. */
function overview({ baseline, stages, headline }: Report): Markup {
  const rows = [
    { name: 'input', m: baseline, speedup: null as number | null, seconds: null as number | null },
    ...stages.map((s, i) => ({
      name: `${i + 1}. ${s.stage}`,
      m: s.after,
      speedup: s.after.speedup,
      seconds: s.seconds,
    })),
  ];
  const body = rows.map(({ name, m, speedup, seconds }) => {
    const value = m.metrics[headline];
    return html`<tr><td>${name}</td><td>${format.bytes(m.bytes)}</td><td>${format.count(m.params)}</td><td>${format.count(m.macs)}</td><td>${value === undefined ? '–' : format.score(value)}</td><td>${m.latencyMs ? format.milliseconds(m.latencyMs.median) : '–'}</td><td>${speedup === null ? '–' : format.factor(speedup)}</td><td>${seconds === null ? '–' : format.seconds(seconds)}</td></tr>`;
  });
  return html`<div class="wide"><table><thead><tr><th>model after</th><th>bytes</th><th>params</th><th>MACs</th><th>${format.metricName(headline)}</th><th>latency</th><th>speed-up</th><th>took</th></tr></thead><tbody>${body}</tbody></table></div>`;
}

function section(report: Report, stage: StageReport, index: number): Markup {
  const before = index === 0 ? report.baseline : report.stages[index - 1]!.after;
  const pair = (was: number, now: number, text: (x: number) => string): Bar[] => [
    { label: 'before', value: was, text: text(was), colour: BEFORE },
    { label: 'after', value: now, text: text(now), colour: AFTER },
  ];
  const metric = report.headline;
  const [was, now] = [before.metrics[metric], stage.after.metrics[metric]];
  const [slow, fast] = [before.latencyMs, stage.after.latencyMs];
  return html`<h3>${index + 1}. ${stage.stage}${stage.resumed ? html` <span class="soft">(kept from an earlier attempt)</span>` : ''}</h3>
<div class="charts">${bars('File size', pair(before.bytes, stage.after.bytes, format.bytes))}${was !== undefined && now !== undefined ? bars(`${format.metricName(metric)} on val`, pair(was, now, format.score)) : ''}${slow && fast ? bars('Median latency', pair(slow.median, fast.median, format.milliseconds)) : ''}</div>
${stage.warnings.map((w) => html`<p class="warn">${w}</p>`)}
<p class="soft">Took ${format.seconds(stage.seconds)}; at most ${format.bytes(stage.peakRssBytes)} of memory.</p>
${losses(stage)}<details><summary>Options</summary><pre>${JSON.stringify(stage.options, null, 2)}</pre></details>${details(stage)}`;
}

interface Loss {
  readonly tensor: string;
  readonly sqnrDb: number;
}

/** The tensors that a stage hurt most, where it says so (`details.tensors`, worst first). */
function losses({ details }: StageReport): Markup | '' {
  const list = details['tensors'];
  if (!Array.isArray(list)) return '';
  const worst = (list as Loss[]).filter((t) => typeof t.sqnrDb === 'number').slice(0, 10);
  if (worst.length === 0) return '';
  const rows = worst.map(
    (t) => html`<tr><td>${clip(t.tensor, 80)}</td><td>${t.sqnrDb.toFixed(1)} dB</td></tr>`,
  );
  return html`<h3>Largest losses per tensor</h3><div class="wide"><table><thead><tr><th>tensor</th><th>signal to rounding noise</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** Scalar details as a list; long ones folded. */
function details({ details }: StageReport): Markup {
  const plain = Object.entries(details).filter(([, v]) =>
    ['number', 'string', 'boolean'].includes(typeof v),
  );
  const lists = Object.entries(details).filter(
    ([k, v]) => Array.isArray(v) && k !== 'tensors' && v.length > 0,
  );
  const text = (v: unknown) =>
    typeof v === 'number' && !Number.isInteger(v) ? format.digits(v) : String(v);
  return html`<details><summary>Details</summary><dl>${plain.map(([k, v]) => html`<dt>${k}</dt><dd>${text(v)}</dd>`)}</dl>${lists.map(([k, v]) => html`<p class="soft">${k}</p><pre>${clip(JSON.stringify(v, null, 1), 6000)}</pre>`)}</details>`;
}
