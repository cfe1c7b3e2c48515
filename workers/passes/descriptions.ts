/** @file What a file says about itself that no runtime needs. */

import type { Pass } from './pass.ts';

/** Doc strings and exporter notes of the graph, its nodes and inner values. The model's own metadata stays. */
export const dropDescriptions: Pass = {
  summary: 'drop doc strings and exporter notes',
  run(model) {
    const { graph } = model;
    let dropped = 0;
    const drop = <T extends object>(from: T, ...fields: (keyof T)[]) => {
      for (const field of fields) {
        const held = from[field];
        if (held !== undefined && held !== '') dropped++;
        delete from[field];
      }
    };
    if (model.doc !== '') dropped++;
    model.doc = '';
    drop(graph, 'doc', 'metadata');
    const outer = new Set([...graph.inputs, ...graph.outputs]);
    for (const node of graph.nodes) {
      drop(node, 'doc', 'metadata');
      for (const y of node.outputs) {
        if (y && !outer.has(y)) drop(y, 'rest');
      }
    }
    return dropped;
  },
};
