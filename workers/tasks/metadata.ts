/** @file What a model's metadata says about itself: class names, image size, task, and Lathe's own keys. */

import { Value } from 'typebox/value';
import {
  type PreprocessOption,
  PreprocessOption as Schema,
} from '../../src/contract/preprocess.ts';
import type { Model } from '../onnx/graph.ts';
import { type Literal, parseLiteral } from './python-literal.ts';

/** metadata_props key under which Lathe writes the resolved preprocessing, as JSON. */
export const PREPROCESS_KEY = 'lathe.preprocess';

/** `names`: a dict 0…n−1 → name or a list. Undefined where absent or not of that form. */
export function namesOf(model: Model): readonly string[] | undefined {
  const names = literal(model, 'names');
  if (Array.isArray(names)) return names.length > 0 ? names.map(String) : undefined;
  if (!(names instanceof Map) || names.size === 0) return undefined;
  const list = Array.from({ length: names.size }, (_, i) => names.get(i) ?? names.get(String(i)));
  return list.every((name) => name !== undefined) ? list.map(String) : undefined;
}

/** `imgsz`: [height, width], or one number for both. */
export function imageSizeOf(model: Model): readonly [number, number] | undefined {
  const size = literal(model, 'imgsz');
  const [h, w] = Array.isArray(size) ? [size[0], size[1] ?? size[0]] : [size, size];
  return isSize(h) && isSize(w) ? [h, w] : undefined;
}

const isSize = (n: Literal | undefined): n is number =>
  typeof n === 'number' && Number.isInteger(n) && n > 0 && n <= 16384;

/** `task` as exporters name it: detect, segment, pose, obb, classify. */
export const exportedTaskOf = (model: Model): string | undefined => model.metadata['task'];

/** The preprocessing that Lathe recorded in a model it wrote. Undefined where absent or damaged. */
export function recordedPreprocess(model: Model): PreprocessOption | undefined {
  const text = model.metadata[PREPROCESS_KEY];
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(Schema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function literal(model: Model, key: string): Literal | undefined {
  const text = model.metadata[key];
  return text === undefined ? undefined : parseLiteral(text);
}
