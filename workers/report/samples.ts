/** @file Sample images with what each model says of them. */

import type { Report } from '../../src/contract/report.ts';
import { html, type Markup } from './markup.ts';
import { type ShownBox, withoutPartner } from './partners.ts';
import { clip } from './svg.ts';

type SampleImage = NonNullable<Report['samples']>[number];

interface Shown {
  readonly class: number;
  readonly name: string;
  readonly score: number;
}
type Box = Shown & ShownBox;

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
const MOST_KEYS = 24;

const colourOf = (c: number): string => COLOURS[c % COLOURS.length]!;
const isBox = (s: unknown): s is Box => typeof (s as Partial<Box>).x === 'number';

export function samples({ samples: images = [] }: Report): Markup | '' {
  if (images.length === 0) return '';
  const boxes = images.flatMap((i) => [...i.before, ...i.after]).filter(isBox);
  const note =
    boxes.length > 0
      ? 'Scores of 0.25 and more; a dashed box has no partner in the other image (same class, IoU 0.5).'
      : '';
  return html`<h2>Sample images</h2><p class="soft">From the val split: left the input model, right the result. ${note}</p>${keys(boxes)}<div class="samples">${images.map(figure)}</div>`;
}

/** Which colour is which class. */
function keys(boxes: readonly Box[]): Markup | '' {
  const names = new Map(boxes.map((b) => [b.class, b.name]));
  const shown = [...names].toSorted(([a], [b]) => a - b).slice(0, MOST_KEYS);
  if (shown.length === 0) return '';
  return html`<p class="keys">${shown.map(([c, name]) => html`<span><span class="key" style="background:${colourOf(c)}"></span>${clip(name, 28)}</span> `)}</p>`;
}

function figure(image: SampleImage): Markup {
  const before = image.before as Shown[];
  const after = image.after as Shown[];
  return html`<figure><div class="pair">${panel(image, 'before', before, after)}${panel(image, 'after', after, before)}</div><figcaption>${image.image}</figcaption></figure>`;
}

function panel(
  { jpeg, width, height, image }: SampleImage,
  when: string,
  shown: readonly Shown[],
  others: readonly Shown[],
): Markup {
  const stroke = Math.max(width, height) / 180;
  const boxes = shown.filter(isBox);
  const alone = withoutPartner(boxes, others.filter(isBox));
  const drawn = boxes.map((b) => rectangle(b, stroke, alone.has(b)));
  const classes = shown.filter((s) => !isBox(s));
  const list =
    classes.length > 0
      ? html`<ol class="top">${classes.map((s) => html`<li>${clip(s.name, 28)} ${s.score.toFixed(3)}</li>`)}</ol>`
      : '';
  const found = `${when}${boxes.length > 0 || classes.length === 0 ? `: ${boxes.length} found${alone.size > 0 ? `, ${alone.size} alone` : ''}` : ''}`;
  return html`<div><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${image}, ${found}"><image href="data:image/jpeg;base64,${jpeg}" width="${width}" height="${height}"/>${drawn}</svg><p class="found">${found}</p>${list}</div>`;
}

function rectangle(box: Box, stroke: number, alone: boolean): Markup {
  const fixed = (v: number) => v.toFixed(1);
  const dashes = alone
    ? html` stroke-dasharray="${fixed(3 * stroke)} ${fixed(2 * stroke)}"`
    : html``;
  return html`<rect x="${fixed(box.x)}" y="${fixed(box.y)}" width="${fixed(box.width)}" height="${fixed(box.height)}" fill="none" stroke="${colourOf(box.class)}" stroke-width="${fixed(stroke)}"${dashes}><title>${box.name} ${box.score.toFixed(3)}</title></rect>`;
}
