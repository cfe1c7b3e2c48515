/** @file Small charts as inline SVG. */

import { html, type Markup } from './markup.ts';

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  readonly colour: string;
}

const ROW = 26;
const WIDTH = 340;
const LABEL = 110;
const TEXT = 76;

/** Horizontal bars on one scale that starts at zero. */
export function bars(title: string, entries: readonly Bar[]): Markup {
  const most = Math.max(1e-12, ...entries.map((b) => b.value));
  const room = WIDTH - LABEL - TEXT;
  const rows = entries.map(({ label, value, text, colour }, i) => {
    const y = i * ROW;
    const length = Math.max(1, (room * Math.max(0, value)) / most);
    return html`<text x="0" y="${y + 17}" class="soft">${clip(label, 17)}</text><rect x="${LABEL}" y="${y + 5}" width="${length.toFixed(1)}" height="16" rx="2" fill="${colour}"/><text x="${(LABEL + length + 6).toFixed(1)}" y="${y + 17}">${text}</text>`;
  });
  return html`<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${WIDTH} ${entries.length * ROW + 4}" width="${WIDTH}" role="img" aria-label="${title}">${rows}</svg></figure>`;
}

export interface Line {
  readonly label: string;
  readonly colour: string;
  /** y at evenly spaced x from 0 to 1; both axes 0…1. */
  readonly y: readonly number[];
}

const SIDE = 200;
const EDGE = 30;

/** Curves in the unit square. */
export function curves(title: string, x: string, y: string, lines: readonly Line[]): Markup {
  const px = (u: number) => (EDGE + u * SIDE).toFixed(1);
  const py = (v: number) => (6 + (1 - v) * SIDE).toFixed(1);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (t) =>
      html`<path d="M${px(0)} ${py(t)}H${px(1)}M${px(t)} ${py(0)}V${py(1)}" stroke="var(--line)" fill="none"/>`,
  );
  const paths = lines.map(({ y: values, colour }) => {
    const d = values
      .map((v, i) => `${i === 0 ? 'M' : 'L'}${px(i / (values.length - 1))} ${py(v)}`)
      .join('');
    return html`<path d="${d}" stroke="${colour}" stroke-width="1.8" fill="none"/>`;
  });
  const keys = lines.map(
    ({ label, colour }) =>
      html`<span><span class="key" style="background:${colour}"></span>${label}</span> `,
  );
  return html`<figure><figcaption>${title}<br>${keys}</figcaption><svg viewBox="0 0 ${SIDE + EDGE + 12} ${SIDE + 36}" width="${SIDE + EDGE + 12}" role="img" aria-label="${title}">${grid}${paths}<text x="${px(0.5)}" y="${SIDE + 32}" text-anchor="middle" class="soft">${x}</text><text x="10" y="${py(0.5)}" text-anchor="middle" class="soft" transform="rotate(-90 10 ${py(0.5)})">${y}</text><text x="${EDGE - 5}" y="${py(0.98)}" text-anchor="end" class="soft">1</text><text x="${px(0)}" y="${SIDE + 19}" text-anchor="middle" class="soft">0</text><text x="${px(1)}" y="${SIDE + 19}" text-anchor="middle" class="soft">1</text></svg></figure>`;
}

export const clip = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;
