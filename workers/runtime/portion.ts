/** @file A part of a larger piece of work. */

interface Told {
  progress(done: number, doing: string): void;
}

/** The same context, whose progress runs from one share of the whole to another. */
export const portion = <Context extends Told>(ctx: Context, from: number, to: number): Context => ({
  ...ctx,
  progress: (done: number, doing: string) => ctx.progress(from + (to - from) * done, doing),
});
