/** @file docs/errors.md as a page: every error's `type` points into it. */

const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** `code`, **bold** and [links](to) within a paragraph. */
const inline = (text: string): string =>
  escapeHtml(text)
    .replaceAll(/`([^`]+)`/g, '<code>$1</code>')
    .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replaceAll(/\[([^\]]+)\]\((https?:[^)\s]+|#[\w-]+)\)/g, '<a href="$2">$1</a>');

/** Headings (a `## CODE` is the anchor CODE), lists and paragraphs: what docs/errors.md is made of. */
function block(text: string): string {
  const [, marks, title] = /^(#{1,4}) (.+)$/.exec(text) ?? [];
  if (marks !== undefined && title !== undefined) {
    const plain = title.replaceAll('`', '').trim();
    return `<h${marks.length} id="${escapeHtml(plain)}">${inline(title)}</h${marks.length}>`;
  }
  if (/^[-*] /.test(text)) {
    const items = text.split(/\n(?=[-*] )/).map((item) => `<li>${inline(item.slice(2))}</li>`);
    return `<ul>${items.join('')}</ul>`;
  }
  return `<p>${inline(text)}</p>`;
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1c2330;background:#fff}
h2{font:600 1.05rem ui-monospace,monospace;margin-top:2rem;border-top:1px solid #dde2ea;padding-top:1rem}
h2:target{background:#fff4c2}code{background:#f1f3f7;padding:0 .2em;border-radius:3px}
@media(prefers-color-scheme:dark){body{color:#dfe4ec;background:#14181f}h2{border-color:#333b47}h2:target{background:#4a4213}code{background:#242b36}}`;

export function errorsPage(markdown: string): string {
  const blocks = markdown
    .split(/\n\s*\n|(?<=^#+ .*)\n/m)
    .map((text) => text.trim())
    .filter((text) => text !== '');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Errors of Lathe</title><style>${STYLE}</style></head>
<body>
${blocks.map(block).join('\n')}
</body>
</html>
`;
}
