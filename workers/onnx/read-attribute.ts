/** @file AttributeProto → Attribute. */

import { ATTRIBUTE_TYPES } from './attribute-types.ts';
import type { Attribute, Graph } from './graph.ts';
import { type External, readTensor } from './read-tensor.ts';
import { type Message, unreadable } from './wire.ts';

/** Kinds that are missing in files of IR version < 2 are told by the field that is filled. */
export function readAttribute(
  fields: Message,
  external: External | undefined,
  readGraph: (fields: Message) => Graph,
): { name: string; attribute: Attribute } {
  let name = '';
  let type = 0;
  let single: Attribute | undefined;
  let opaque = false;
  let doc = '';
  const ints: (number | bigint)[] = [];
  const floats: number[] = [];
  const strings: (string | Uint8Array)[] = [];
  const graphs: Graph[] = [];
  const most = fields.bytes.length;
  for (const f of fields) {
    if (f.number === 1) name = f.string();
    else if (f.number === 20) type = f.number_();
    else if (f.number === 2) single = { type: 'float', value: f.float() };
    else if (f.number === 3) single = { type: 'int', value: f.int() };
    else if (f.number === 4) single = { type: 'string', value: f.stringOrBytes() };
    else if (f.number === 5) {
      single = { type: 'tensor', value: f.message((m) => readTensor(m, external)) };
    } else if (f.number === 6) single = { type: 'graph', value: f.message(readGraph) };
    else if (f.number === 7) f.floats(floats);
    else if (f.number === 8) f.ints(ints, most);
    else if (f.number === 9) strings.push(f.stringOrBytes());
    else if (f.number === 11) graphs.push(f.message(readGraph));
    else if (f.number === 13) doc = f.string();
    else opaque = true;
  }
  if (opaque) return { name, attribute: { type: 'opaque', bytes: fields.bytes } };
  const attribute = build(name, type, single, { ints, floats, strings, graphs });
  return { name, attribute: doc ? { ...attribute, doc } : attribute };
}

interface Lists {
  readonly ints: (number | bigint)[];
  readonly floats: number[];
  readonly strings: (string | Uint8Array)[];
  readonly graphs: Graph[];
}

/** Proto3 files may leave out a zero: the kind then says what the missing value is. */
function build(name: string, type: number, single: Attribute | undefined, lists: Lists): Attribute {
  const { ints, floats, strings, graphs } = lists;
  if (type === ATTRIBUTE_TYPES.ints) return { type: 'ints', value: ints };
  if (type === ATTRIBUTE_TYPES.floats) return { type: 'floats', value: floats };
  if (type === ATTRIBUTE_TYPES.strings) return { type: 'strings', value: strings };
  if (type === ATTRIBUTE_TYPES.graphs) return { type: 'graphs', value: graphs };
  if (single) return single;
  if (type === ATTRIBUTE_TYPES.int) return { type: 'int', value: 0 };
  if (type === ATTRIBUTE_TYPES.float) return { type: 'float', value: 0 };
  if (type === ATTRIBUTE_TYPES.string) return { type: 'string', value: '' };
  if (ints.length > 0) return { type: 'ints', value: ints };
  if (floats.length > 0) return { type: 'floats', value: floats };
  if (strings.length > 0) return { type: 'strings', value: strings };
  return unreadable(`attribute '${name}' has no value`);
}
