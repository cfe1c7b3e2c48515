/** @file Exact types and shapes of every value, asked of the runtime instead of inferred op by op. */

import { cloneModel } from '../onnx/clone.ts';
import { type Dim, type Model, Value } from '../onnx/graph.ts';
import { Names } from '../onnx/names.ts';
import { openSession, type Port } from './session.ts';
import { withOutputs } from './taps.ts';

/**
 * Fill `type` of every value that nodes make. Every intermediate becomes an untyped graph output of a copy; the
 * runtime's own shape inference then states each when it opens it (about 0.1 s for 230 nodes, nothing is run).
 * Shapes that are computed from constants are known only once the runtime has folded those: where a graph of fixed
 * inputs leaves some open, it is opened again so. Dynamic axes stay symbolic. Values inside subgraphs are left alone.
 *
 * @throws MODEL_CANNOT_RUN the runtime refuses the model
 */
export async function inferTypes(model: Model): Promise<void> {
  const made = new Map<string, Value>();
  for (const node of model.graph.nodes) for (const y of node.outputs) if (y) made.set(y.name, y);
  await fill(model, made, 'disabled');
  const inputs = model.graph.inputs.filter((v) => !v.constant);
  if (inputs.every(isFixed) && ![...made.values()].every(isFixed)) await fill(model, made, 'basic');
  for (const value of model.graph.initializers) {
    if (value.constant)
      value.type = { kind: 'tensor', dtype: value.constant.dtype, shape: value.constant.dims };
  }
}

async function fill(
  model: Model,
  made: ReadonlyMap<string, Value>,
  optimize: 'disabled' | 'basic',
): Promise<void> {
  const ports = await outputsOf(withOutputs(model, made.values()), optimize);
  const scalars = await scalarsAmong(model, ports, made, optimize);
  for (const { name, dtype, shape } of ports) {
    const value = made.get(name);
    if (!value || value.type?.kind === 'opaque') continue;
    const known = shape.length > 0 || scalars.has(name);
    const found = known ? named(shape, value.type?.shape) : undefined;
    value.type = { kind: 'tensor', dtype, shape: found ?? value.type?.shape };
  }
}

async function outputsOf(model: Model, optimize: 'disabled' | 'basic'): Promise<readonly Port[]> {
  const session = await openSession(model, { optimize });
  await session.release();
  return session.outputs;
}

/**
 * The runtime writes [] for a scalar and for a value of unknown rank alike. It tells them apart in what it knows of
 * Shape(value): a vector of length 0, or of unknown length.
 */
async function scalarsAmong(
  model: Model,
  ports: readonly Port[],
  made: ReadonlyMap<string, Value>,
  optimize: 'disabled' | 'basic',
): Promise<ReadonlySet<string>> {
  const open = ports.flatMap(({ name, shape }) => {
    const value = made.get(name);
    return shape.length === 0 && value && value.type?.kind !== 'opaque' ? [name] : [];
  });
  if (open.length === 0) return new Set();
  const probe = cloneModel(model);
  const names = new Names(probe.graph);
  const values = new Map(probe.graph.nodes.flatMap((n) => n.outputs).map((v) => [v?.name, v]));
  const asked = new Map(open.map((name) => [names.fresh(`${name}/shape`), name]));
  for (const v of values.values()) if (v?.type?.kind === 'tensor') v.type = undefined;
  probe.graph.outputs = [...asked].map(([shape, name]) => {
    const output = new Value(shape);
    const node = { name: shape, op: 'Shape', domain: '', attributes: {} };
    probe.graph.nodes.push({ ...node, inputs: [values.get(name)], outputs: [output] });
    return output;
  });
  const answers = await outputsOf(probe, optimize);
  return new Set(answers.flatMap((a) => (a.shape[0] === 0 ? [asked.get(a.name)!] : [])));
}

/** Whether every axis has a known size; types that are no tensors have none. */
const isFixed = ({ type }: Value): boolean =>
  type?.kind === 'opaque' || type?.shape?.every((d) => typeof d === 'number') === true;

/** Axes that the runtime says nothing about keep the name that the file gives them. */
function named(found: readonly Dim[], declared: readonly Dim[] | undefined): Dim[] {
  return found.map((d, i) => d ?? (declared?.length === found.length ? declared[i]! : null));
}
