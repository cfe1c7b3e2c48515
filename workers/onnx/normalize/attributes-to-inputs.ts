/** @file Ops whose attributes became inputs. */

import { floatOf, int, intOf, intsOf } from '../attributes.ts';
import type { Node } from '../graph.ts';
import type { OpsetChange } from '../normalize.ts';

const drop = (node: Node, ...names: string[]) => {
  for (const name of names) delete node.attributes[name];
};

/** Squeeze, Unsqueeze, ReduceSum at 13; the other reductions at 18: `axes`. */
export const axes: OpsetChange = (node, { ints }) => {
  const list = intsOf(node, 'axes');
  drop(node, 'axes');
  if (list) node.inputs[1] = ints(node, 'axes', list);
  return undefined;
};

/** Slice 10: starts, ends, axes. */
export const slice: OpsetChange = (node, { ints }) => {
  const starts = intsOf(node, 'starts', []);
  const ends = intsOf(node, 'ends', []).map((e) => Math.min(e, Number.MAX_SAFE_INTEGER));
  const over = intsOf(
    node,
    'axes',
    starts.map((_, i) => i),
  );
  drop(node, 'starts', 'ends', 'axes');
  node.inputs = [
    node.inputs[0],
    ints(node, 'starts', starts),
    ints(node, 'ends', ends),
    ints(node, 'axes', over),
  ];
  return undefined;
};

/** TopK 10: k. */
export const topK: OpsetChange = (node, { ints }) => {
  node.inputs[1] = ints(node, 'k', [intOf(node, 'k', 1)]);
  drop(node, 'k');
  return undefined;
};

/** Clip 11: min, max. */
export const clip: OpsetChange = (node, { floats }) => {
  const bound = (name: string) =>
    node.attributes[name] && floats(node, name, [], [floatOf(node, name, 0)], node.inputs[0]);
  const [min, max] = [bound('min'), bound('max')];
  drop(node, 'min', 'max');
  node.inputs = max ? [node.inputs[0], min, max] : min ? [node.inputs[0], min] : [node.inputs[0]];
  return undefined;
};

/** Pad 11: pads, value. */
export const pad: OpsetChange = (node, { ints, floats }) => {
  const pads = intsOf(node, 'pads') ?? intsOf(node, 'paddings', []);
  const value = floatOf(node, 'value', 0);
  drop(node, 'pads', 'paddings', 'value');
  node.inputs = [node.inputs[0], ints(node, 'pads', pads)];
  if (value !== 0) node.inputs.push(floats(node, 'value', [], [value], node.inputs[0]));
  return undefined;
};

/** Scatter became ScatterElements at 11. */
export const scatter: OpsetChange = (node) => {
  node.op = 'ScatterElements';
  return undefined;
};

/** Dropout 12: ratio; an exported model is run in inference mode either way. */
export const dropout: OpsetChange = (node) => {
  drop(node, 'ratio');
  return undefined;
};

/** Split 13: split. */
export const split: OpsetChange = (node, { ints }) => {
  const sizes = intsOf(node, 'split');
  drop(node, 'split');
  if (sizes) node.inputs[1] = ints(node, 'split', sizes);
  return undefined;
};

/** Split 18: even parts say how many. */
export const splitCount: OpsetChange = (node) => {
  if (node.inputs[1] === undefined) node.attributes['num_outputs'] = int(node.outputs.length);
  return undefined;
};

/** DFT 20: axis, whose default was 1. */
export const dftAxis: OpsetChange = (node, { ints }) => {
  const axis = ints(node, 'axis', [intOf(node, 'axis', 1)], []);
  drop(node, 'axis');
  node.inputs = [node.inputs[0], node.inputs[1], axis];
  return undefined;
};
