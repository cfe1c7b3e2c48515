/** @file Features: for each size of maps, the last that everything of that size follows from. */

import { findDecodeTail } from '../../onnx/decode-tail.ts';
import { dtypeKnown, type Graph, type Node, shapeKnown, type Value } from '../../onnx/graph.ts';
import { GraphIndex } from '../../onnx/uses.ts';
import { plain, type Site } from './site.ts';

/** Coarser maps hold too few positions to have a pattern. */
const LEAST_POSITIONS = 4;
/** Levels that are compared, the coarsest of those in common. */
const MOST_LEVELS = 3;

/** Maps of equal size, so that a place of either covers the same part of the image. Widths may differ. */
export const features: Site = ({ student, teacher }) => {
  const [own, other] = [levelFeatures(student.graph), levelFeatures(teacher.graph)];
  const common = [...own.keys()].filter((size) => other.has(size)).slice(-MOST_LEVELS);
  if (common.length === 0)
    return `no feature maps of both have one size: the student's are ${sizes(own)}, the teacher's ${sizes(other)}`;
  return common.map((size) => {
    const [a, b] = [own.get(size)!, other.get(size)!];
    return { name: `${a.name} ~ ${b.name}`, student: plain(a), teacher: plain(b) };
  });
};

const sizes = (levels: ReadonlyMap<string, Value>) => [...levels.keys()].join(', ') || 'none';

/**
 * Size → the last map of that size, in graph order, that all last layers of that size follow from: before the branches of a
 * head. Where no last layer has the size: the last map of it.
 */
function levelFeatures(graph: Graph): Map<string, Value> {
  const index = new GraphIndex(graph);
  const tail = findDecodeTail(graph, graph.outputs, index);
  const last = new Set<Node>([...tail.layers, ...tail.nodes]);
  const maps = graph.nodes
    .filter((node) => !last.has(node))
    .flatMap((node) => node.outputs)
    .filter((v): v is Value => v !== undefined && isMap(v));
  const found = new Map<string, Value>();
  for (const size of new Set(maps.map(sizeOfMap))) {
    const heads = tail.layers.filter((node) => sizeOfMap(node.outputs[0]!) === size);
    const above = heads.map((node) => ancestors(node, index));
    const shared = maps.filter((v) => sizeOfMap(v) === size && above.every((set) => set.has(v)));
    if (shared.length > 0) found.set(size, shared.at(-1)!);
  }
  return new Map([...found].sort(([a], [b]) => positions(b) - positions(a)));
}

function isMap(v: Value): boolean {
  const shape = shapeKnown(v);
  if (dtypeKnown(v) !== 'float32' || shape?.length !== 4) return false;
  return Number(shape[2]) * Number(shape[3]) >= LEAST_POSITIONS;
}

const sizeOfMap = (v: Value): string => (shapeKnown(v) ?? []).slice(2).join(' × ');
const positions = (size: string): number => size.split(' × ').reduce((n, d) => n * Number(d), 1);

/** Every value that a node follows from. */
function ancestors(node: Node, index: GraphIndex): Set<Value> {
  const seen = new Set<Value>();
  const open = [...node.inputs];
  for (let v = open.pop(); open.length > 0 || v; v = open.pop()) {
    if (v === undefined || seen.has(v)) continue;
    seen.add(v);
    open.push(...(index.producer(v)?.inputs ?? []));
  }
  return seen;
}
