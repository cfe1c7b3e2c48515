/** @file The text form of ONNX models: graphs that people read and that tests write. */

export { parseText } from './parse-text.ts';
export { type PrintOptions, printText } from './print-text.ts';
