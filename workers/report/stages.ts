/** @file A section per stage: a chart of what it cost and gave, its figures, its options. */

import type { Report, StageReport } from '../../src/contract/report.ts';
import { dataTable } from './data-table.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';
import { methodSteps } from './method.ts';
import { paretoCurve, runtimeOps } from './precision.ts';
import { sensitivity } from './sensitivity.ts';
import { integerShare, keptFloat, losses, otherDetails } from './stage-details.ts';
import { type Bar, bars } from './svg.ts';
import { teaching } from './teaching.ts';
import { training, trainingOfRounds } from './training.ts';

const BEFORE = 'var(--before)';
const AFTER = 'var(--after)';

export function stages(report: Report): Markup {
  if (report.stages.length === 0) return html``;
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
    return [
      name,
      format.bytes(m.bytes),
      format.count(m.params),
      format.count(m.macs),
      value === undefined ? '–' : format.score(value),
      m.latencyMs ? format.milliseconds(m.latencyMs.median) : '–',
      speedup === null ? '–' : format.factor(speedup),
      seconds === null ? '–' : format.seconds(seconds),
    ];
  });
  const metric = format.metricName(headline);
  const head = ['model after', 'bytes', 'params', 'MACs', metric, 'latency', 'speed-up', 'took'];
  const note =
    baseline.latencyMs && stages.length > 0
      ? html`<p class="soft">Speed-up is the median over pairs of runs, input and model in turns: compare it, rather than latencies that were measured minutes apart.</p>`
      : '';
  return html`${dataTable(head, body)}${note}`;
}

function section(report: Report, stage: StageReport, index: number): Markup {
  const before = index === 0 ? report.baseline : report.stages[index - 1]!.after;
  const pair = (was: number, now: number, text: (x: number) => string): Bar[] => [
    { label: 'before', value: was, text: text(was), colour: BEFORE },
    { label: 'after', value: now, text: text(now), colour: AFTER },
  ];
  const metric = report.headline;
  const [was, now] = [before.metrics[metric], stage.after.metrics[metric]];
  const faster = stage.after.speedup;
  const fasterBefore = index === 0 ? 1 : (report.stages[index - 1]!.after.speedup ?? 1);
  return html`<h3>${index + 1}. ${stage.stage}${stage.resumed ? html` <span class="soft">(kept from an earlier attempt)</span>` : ''}</h3>
<div class="charts">${bars('File size', pair(before.bytes, stage.after.bytes, format.bytes))}${was !== undefined && now !== undefined ? bars(`${format.metricName(metric)} on val`, pair(was, now, format.score)) : ''}${faster === null ? '' : bars('Speed, input = 1', pair(fasterBefore, faster, format.factor))}</div>
${stage.warnings.map((w) => html`<p class="warn">${w}</p>`)}
<p class="soft">Took ${format.seconds(stage.seconds)}; at most ${format.bytes(stage.peakRssBytes)} of memory.</p>
${training(stage.details)}${teaching(stage.details)}${trainingOfRounds(stage.details)}${methodSteps(stage.details)}${integerShare(stage.details)}${paretoCurve(stage.details)}${losses(stage.details)}${keptFloat(stage.details)}${runtimeOps(stage.details)}${sensitivity(stage.details)}<details><summary>Options</summary><pre>${JSON.stringify(stage.options, null, 2)}</pre></details>${otherDetails(stage.details)}`;
}
