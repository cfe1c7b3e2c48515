/** @file The jobs of a sweep as a chart: bytes to the right, the metric upwards, the Pareto front as a line. */

import type { SweepView } from '../contract/sweep.ts';
import { metricOf } from './pareto.ts';

const [WIDTH, HEIGHT] = [640, 400];
const EDGE = { left: 70, right: 24, top: 36, bottom: 52 };

interface Spot {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly latencyMs: number | null;
  readonly onFront: boolean;
  readonly best: boolean;
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Where no job has a metric, latency stands upwards instead. */
export function chart(sweep: SweepView): string {
  const byMetric = sweep.jobs.some(({ final }) => final && metricOf(final) !== null);
  const spots = spotsOf(sweep, byMetric);
  const x = scale(
    spots.map((s) => s.x),
    EDGE.left,
    WIDTH - EDGE.right,
  );
  const y = scale(
    spots.map((s) => s.y),
    HEIGHT - EDGE.bottom,
    EDGE.top,
  );
  const headline = sweep.jobs.find(({ final }) => final)?.final?.headline ?? 'metric';
  const line = sweep.front.flatMap((id) => spots.find((s) => s.id === id) ?? []);
  const path = line.map((s) => `${x.at(s.x)},${y.at(s.y)}`).join(' ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${EDGE.left}" y="20">${escaped(`${sweep.id}: ${spots.length} of ${sweep.jobs.length} jobs`)}</text>`,
    ...axes(x, y, byMetric ? headline : 'latency, ms'),
    `<polyline points="${path}" fill="none" stroke="#1b6ca8" stroke-width="1.5"/>`,
    ...spots.map((spot) => circle(spot, x.at(spot.x), y.at(spot.y))),
    spots.length === 0
      ? `<text x="${WIDTH / 2 - 60}" y="${HEIGHT / 2}">no job has succeeded yet</text>`
      : '',
    '</svg>',
  ].join('\n');
}

function spotsOf({ jobs, best }: SweepView, byMetric: boolean): Spot[] {
  return jobs.flatMap(({ id, final, onFront }) => {
    const y = final && (byMetric ? metricOf(final) : final.latencyMs);
    if (!final || y === null) return [];
    return [
      { id, x: final.bytes / 1e6, y, latencyMs: final.latencyMs, onFront, best: id === best },
    ];
  });
}

interface Scale {
  readonly least: number;
  readonly most: number;
  at(value: number): string;
}

function scale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  const [least, most] = values.length === 0 ? [0, 1] : [low - margin, high + margin];
  const at = (value: number) =>
    (from + ((value - least) / (most - least)) * (to - from)).toFixed(1);
  return { least, most, at };
}

const TICKS = 5;

function axes(x: Scale, y: Scale, upwards: string): string[] {
  const [bottom, left] = [HEIGHT - EDGE.bottom, EDGE.left];
  const ticks = (s: Scale) =>
    Array.from({ length: TICKS }, (_, i) => s.least + ((s.most - s.least) * (i + 0.5)) / TICKS);
  return [
    `<path d="M${left} ${EDGE.top}V${bottom}H${WIDTH - EDGE.right}" fill="none" stroke="#888888"/>`,
    ...ticks(x).map(
      (v) => `<text x="${x.at(v)}" y="${bottom + 18}" text-anchor="middle">${short(v)}</text>`,
    ),
    ...ticks(y).map(
      (v) => `<text x="${left - 6}" y="${y.at(v)}" text-anchor="end">${short(v)}</text>`,
    ),
    `<text x="${(left + WIDTH - EDGE.right) / 2}" y="${HEIGHT - 14}" text-anchor="middle">MB</text>`,
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escaped(upwards)}</text>`,
  ];
}

const short = (value: number) => String(Number(value.toPrecision(3)));

function circle({ id, latencyMs, onFront, best }: Spot, x: string, y: string): string {
  const latency = latencyMs === null ? '' : `, ${latencyMs.toFixed(2)} ms`;
  const fill = onFront ? '#1b6ca8' : '#bbbbbb';
  const ring = best ? ' stroke="#d1495b" stroke-width="3"' : '';
  const title = escaped(`${id}${latency}${best ? ', the best' : ''}`);
  return `<circle cx="${x}" cy="${y}" r="5" fill="${fill}"${ring}><title>${title}</title></circle>`;
}
