/** @file Failures that a data set, an archive or an image causes. */

import type { ErrorEntry } from './entry.ts';

const more = (count: number) => (count > 0 ? ` (and ${count} more like it)` : '');

export const DATA_ERRORS = {
  DATASET_INVALID: {
    status: 422,
    retry: false,
    message: (p: { where: string; why: string }) =>
      `The data set is invalid at ${p.where}: ${p.why}.`,
  },
  LABEL_INVALID: {
    status: 422,
    retry: false,
    message: (p: { file: string; line: number; found: string; valid: string; more: number }) =>
      `Line ${p.line} of the label file '${p.file}' is invalid: found ${p.found}; valid is ${p.valid}${more(p.more)}.`,
  },
  SPLIT_MISSING: {
    status: 422,
    retry: false,
    message: (p: { split: string; what: string; has: string }) =>
      `${p.what} needs images in the split '${p.split}'; the data set has ${p.has}.`,
  },
  CLASSES_DIFFER: {
    status: 422,
    retry: false,
    message: (p: { model: number; dataset: number }) =>
      `The model tells ${p.model} classes apart and the data set has ${p.dataset}: labels can only be compared where both lists agree. Without labels the job runs with "task": "generic".`,
  },
  IMAGE_UNREADABLE: {
    status: 422,
    retry: false,
    message: (p: { file: string; why: string }) =>
      `The image '${p.file}' cannot be read: ${p.why}.`,
  },
  ARCHIVE_INVALID: {
    status: 422,
    retry: false,
    message: (p: { why: string }) => `The archive is refused: ${p.why}.`,
  },
  ARCHIVE_TOO_LARGE: {
    status: 413,
    retry: false,
    message: (p: { what: string; limit: string }) =>
      `The archive unpacks to too much: ${p.what}; the limit is ${p.limit}.`,
  },
} as const satisfies Record<string, ErrorEntry>;
