/** @file Points in time as clients write them. */

/** A text may have the form of a time and name none, such as the 31st of February or 25 o'clock. */
export const isInstant = (text: string): boolean => !Number.isNaN(Date.parse(text));

/** What is wrong with one that is none. */
export const noInstant = (text: string): string =>
  `is '${text}': there is no such time; valid is one such as 2026-11-24T18:00:00Z`;
