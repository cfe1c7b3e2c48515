/** @file Where a command's words go: one JSON document to stdout with --json, else text; progress always to stderr. */

import { stderr, stdout } from 'node:process';
import { SingleBar } from 'cli-progress';

export class Io {
  readonly json: boolean;
  #bar: SingleBar | undefined;
  #last = '';
  #closed = false;

  constructor(json: boolean) {
    this.json = json;
  }

  /** The result: `text` for people, `document` for programs. */
  result(document: unknown, text: string): void {
    this.#end();
    stdout.write(this.json ? `${JSON.stringify(document, null, 2)}\n` : `${text}\n`);
  }

  /** A line for people, beside the result. */
  note(line: string): void {
    this.#end();
    stderr.write(`${line}\n`);
  }

  /** A bar on a terminal; elsewhere a line whenever the work at hand changes. @param share 0…1 */
  progress(share: number, doing: string, secondsLeft?: number | null): void {
    if (this.#closed) return;
    if (stderr.isTTY) this.#draw(share, doing, secondsLeft);
    else this.#line(share, doing);
  }

  #line(share: number, doing: string): void {
    const what = doing.replace(/\d+ of \d+/, '').trim();
    if (what === this.#last) return;
    this.#last = what;
    stderr.write(`${String(Math.round(share * 100)).padStart(3)} %  ${what}\n`);
  }

  #draw(share: number, doing: string, secondsLeft: number | null | undefined): void {
    if (!this.#bar) {
      this.#bar = new SingleBar({
        format: '{bar} {percentage} %  {doing}{left}',
        stream: stderr,
        barsize: 24,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        hideCursor: true,
        clearOnComplete: true,
        forceRedraw: true,
      });
      this.#bar.start(100, 0, { doing, left: '' });
    }
    const left = secondsLeft ? `, about ${secondsLeft} s left` : '';
    this.#bar.update(Math.round(share * 100), { doing, left });
  }

  /** Take the bar away, so that other lines stand alone. */
  #end(): void {
    if (!this.#bar) return;
    this.#bar.stop();
    this.#bar = undefined;
  }

  /** No more progress. The bar hides the cursor: give it back. */
  close(): void {
    this.#closed = true;
    this.#end();
  }
}
