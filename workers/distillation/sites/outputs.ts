/** @file What any two models say in the end: their last trained layers, else their outputs. */

import { findDecodeTail } from '../../onnx/decode-tail.ts';
import { dtypeKnown, type Graph, type Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import { plain, type Site, sameClasses } from './site.ts';

/** Paired in graph order; of one shape but for the batch. */
export const outputs: Site = (ends) => {
  if (ends.classes.length > 0 && !sameClasses(ends))
    return 'their classes differ in order or number, and outputs are compared number by number';
  const { student, teacher } = ends;
  for (const find of [lastLayers, floatOutputs]) {
    const [own, other] = [find(student.graph), find(teacher.graph)];
    if (own.length === 0 || own.length !== other.length) continue;
    if (!own.every((v, i) => perImage(v) === perImage(other[i]!))) continue;
    return own.map((v, i) => ({ name: v.name, student: plain(v), teacher: plain(other[i]!) }));
  }
  const words = (graph: Graph) =>
    floatOutputs(graph)
      .map((v) => `${v.name} [${shapeOf(v).join(', ')}]`)
      .join(', ');
  return `their outputs have other shapes: the student's are ${words(student.graph)}, the teacher's ${words(teacher.graph)}`;
};

const perImage = (v: Value): string => `${shapeOf(v).slice(1)}`;
const floatOutputs = (graph: Graph) => graph.outputs.filter((v) => dtypeKnown(v) === 'float32');
const lastLayers = (graph: Graph) =>
  findDecodeTail(graph).layers.flatMap((node) => (node.outputs[0] ? [node.outputs[0]] : []));
