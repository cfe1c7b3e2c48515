/** @file Sample images with what each model says of them. */

import type { Report } from '../../src/contract/report.ts';
import { html, type Markup } from './markup.ts';
import { clip } from './svg.ts';

type SampleImage = NonNullable<Report['samples']>[number];

interface Shown {
  readonly class: number;
  readonly name: string;
  readonly score: number;
  readonly x?: number;
  readonly y?: number;
  readonly width?: number;
  readonly height?: number;
}

/** Colours that tell neighbours apart on photographs, one per class in turn. */
const COLOURS = [
  '#ff3b30',
  '#34c759',
  '#0a84ff',
  '#ffcc00',
  '#af52de',
  '#ff9500',
  '#5ac8fa',
  '#ff2d92',
  '#30b0c7',
  '#a2845e',
];

export function samples({ samples: images = [] }: Report): Markup | '' {
  if (images.length === 0) return '';
  return html`<h2>Sample images</h2><p class="soft">From the val split; left the input model, right the result. Scores of 0.25 and more.</p><div class="samples">${images.map(figure)}</div>`;
}

function figure(image: SampleImage): Markup {
  return html`<figure><div class="pair">${panel(image, image.before as Shown[], 'before')}${panel(image, image.after as Shown[], 'after')}</div><figcaption>${image.image}</figcaption></figure>`;
}

function panel(
  { jpeg, width, height, image }: SampleImage,
  shown: readonly Shown[],
  when: string,
): Markup {
  const stroke = Math.max(width, height) / 180;
  const boxes = shown.filter((s) => s.x !== undefined).map((s) => box(s, stroke));
  const classes = shown.filter((s) => s.x === undefined);
  const list =
    classes.length > 0
      ? html`<ol class="top">${classes.map((s) => html`<li>${clip(s.name, 28)} ${s.score.toFixed(3)}</li>`)}</ol>`
      : '';
  return html`<div><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${image}, ${when}: ${shown.length} found"><image href="data:image/jpeg;base64,${jpeg}" width="${width}" height="${height}"/>${boxes}</svg>${list}</div>`;
}

function box(
  { x = 0, y = 0, width = 0, height = 0, name, score, class: c }: Shown,
  stroke: number,
): Markup {
  const colour = COLOURS[c % COLOURS.length]!;
  const fixed = (v: number) => v.toFixed(1);
  return html`<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}" fill="none" stroke="${colour}" stroke-width="${fixed(stroke)}"><title>${name} ${score.toFixed(3)}</title></rect>`;
}
