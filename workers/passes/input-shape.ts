/** @file The shape of a model's inputs: open axes are fixed, static ones changed with all that depends on them. */

import { ServiceError } from '../../src/contract/errors.ts';
import { cloneModel } from '../onnx/clone.ts';
import { type Dim, type Graph, type Model, shapeKnown, type Value } from '../onnx/graph.ts';
import { inferTypes } from '../runtime/infer-types.ts';
import { randomInputs } from '../runtime/random-inputs.ts';
import { openSession } from '../runtime/session.ts';
import { liftConstants } from './constants.ts';
import { foldConstantNodes, foldConstants } from './fold-constants.ts';
import { Proof } from './proof.ts';
import { type Axis, atom, refuse } from './resize/axes.ts';
import { type ResizedConstant, resizeModel } from './resize/resize.ts';
import { simplify } from './simplify.ts';

/** Shape of the only input, or input name → shape. −1 leaves an axis as it is. */
export type InputShape = readonly number[] | Readonly<Record<string, readonly number[]>>;

export interface Reshaped {
  readonly model: Model;
  /** What each input was and is. */
  readonly inputs: Readonly<Record<string, { from: readonly Dim[]; to: readonly Dim[] }>>;
  /** Constants and attributes that depended on the size. */
  readonly constants: readonly ResizedConstant[];
  readonly notes: readonly string[];
}

interface Cost {
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/**
 * Which input becomes which shape, checked against what the model declares.
 *
 * @throws INPUT_SHAPE_UNSUPPORTED a name, rank or size that cannot be meant
 */
export function planInputShape(model: Model, shape: InputShape): Map<Value, readonly Dim[]> {
  const inputs = model.graph.inputs.filter((v) => !v.constant);
  const names = inputs.map((v) => `'${v.name}'`).join(', ');
  if (Array.isArray(shape) && inputs.length !== 1)
    refuse('option inputShape', `the model has the inputs ${names}: give a shape by name`);
  const wanted: Readonly<Record<string, readonly number[]>> = Array.isArray(shape)
    ? { [inputs[0]!.name]: shape as readonly number[] }
    : (shape as Readonly<Record<string, readonly number[]>>);
  const plan = new Map<Value, readonly Dim[]>();
  for (const [name, dims] of Object.entries(wanted)) {
    const value = inputs.find((v) => v.name === name);
    if (!value) refuse('option inputShape', `there is no input '${name}'; the inputs are ${names}`);
    const declared = shapeKnown(value) ?? dims.map(() => null);
    if (declared.length !== dims.length)
      refuse(
        `input '${name}'`,
        `[${dims.join(', ')}] has ${dims.length} axes, and the input has ${declared.length}: [${declared.map((d) => d ?? '?').join(', ')}]`,
      );
    const zero = dims.some((d) => d === 0 || d < -1);
    if (zero) refuse(`input '${name}'`, `[${dims.join(', ')}] holds a size that is not positive`);
    plan.set(
      value,
      dims.map((d, i) => (d === -1 ? declared[i]! : d)),
    );
  }
  return plan;
}

/**
 * Give inputs another shape. Open axes simply take their size. Where static sizes change, every constant that depends on
 * them is made anew (reshape targets, bounds, sizes, coordinate grids); what cannot be told is refused by name. The result has
 * run at its new shape, and resized back to the old one it agrees with the given model to 1e-5.
 *
 * @param model left as it is
 * @throws INPUT_SHAPE_UNSUPPORTED naming the node and the reason
 */
export async function setInputShape(
  model: Model,
  shape: InputShape,
  cost: Cost = {},
): Promise<Reshaped> {
  const plan = new Map(
    [...planInputShape(model, shape)].map(([value, dims]) => [value.name, dims] as const),
  );
  const inputs = model.graph.inputs.filter((v) => plan.has(v.name));
  const report = Object.fromEntries(
    inputs.map((v) => [v.name, { from: shapeKnown(v) ?? [], to: plan.get(v.name)! }]),
  );
  const isStatic = inputs.some((v) =>
    (shapeKnown(v) ?? []).some((d, i) => typeof d === 'number' && d !== plan.get(v.name)![i]),
  );
  const { resized, constants } = isStatic
    ? await resizeStatic(model, plan, cost)
    : { resized: cloneModel(model), constants: [] };
  await declare(resized, plan);
  await tryOut(resized, cost);
  const notes = updateMetadata(resized, report);
  return { model: resized, inputs: report, constants, notes };
}

type Plan = ReadonlyMap<string, readonly Dim[]>;

async function resizeStatic(model: Model, plan: Plan, cost: Cost) {
  const base = cloneModel(model);
  // Open axes take their new size at once, or 1 where they stay open: nothing in the graph was made for another.
  setTypes(base.graph, (v) =>
    (shapeKnown(v) ?? []).map((d, i) => {
      const wanted = plan.get(v.name)?.[i];
      return typeof d === 'number' ? d : typeof wanted === 'number' ? wanted : 1;
    }),
  );
  const { model: folded } = await simplify(base, {
    ...cost,
    mayGrow: true,
    passes: { liftConstants, foldConstantNodes },
  });
  await inferAll(folded, cost);
  const proof = await Proof.of(folded, { seed: cost.seed ?? 0, threads: cost.threads ?? 1 });
  const resized = cloneModel(folded);
  const constants = await walk(resized, (v, i) => plan.get(v.name)?.[i], cost);
  await proveWayBack(resized, folded, proof, cost);
  return { resized, constants };
}

/** Types of all values, those included that the runtime knows only once the computations with shapes are folded. */
async function inferAll(model: Model, cost: Cost): Promise<void> {
  await inferTypes(model);
  const values = model.graph.nodes.flatMap((n) => n.outputs.filter((y) => y !== undefined));
  if (values.every((v) => isClosed(shapeKnown(v)))) return;
  const { model: folded } = await simplify(model, {
    ...cost,
    mayGrow: true,
    passes: { foldConstants },
  });
  await inferTypes(folded);
  const made = folded.graph.nodes.flatMap((n) => n.outputs);
  const known = new Map([...made, ...folded.graph.initializers].map((v) => [v?.name, v?.type]));
  for (const v of values) if (!isClosed(shapeKnown(v))) v.type = known.get(v.name) ?? v.type;
}

/** Change sizes of inputs in place, from those their types hold to those `wanted` names. */
async function walk(
  model: Model,
  wanted: (input: Value, axis: number) => Dim | undefined,
  { signal }: Cost,
): Promise<ResizedConstant[]> {
  const axes = new Map<Value, readonly Axis[]>();
  for (const value of model.graph.inputs) {
    if (value.constant) continue;
    const old = (shapeKnown(value) ?? []) as readonly number[];
    axes.set(
      value,
      old.map((d, i) => {
        const now = wanted(value, i);
        return atom(d, typeof now === 'number' ? now : d);
      }),
    );
  }
  const constants = await resizeModel(model, axes, signal);
  setTypes(model.graph, (v) => axes.get(v)!.map(([segment]) => segment![0]!.now));
  return constants;
}

/** Resized back it must be the model it was made from; a way back that is refused (a merged axis of 1) proves nothing. */
async function proveWayBack(resized: Model, given: Model, proof: Proof, cost: Cost): Promise<void> {
  const back = cloneModel(resized);
  const old = new Map(given.graph.inputs.map((v) => [v.name, shapeKnown(v) ?? []]));
  try {
    await inferAll(back, cost);
    await walk(back, (v, i) => old.get(v.name)?.[i], cost);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'INPUT_SHAPE_UNSUPPORTED') return;
    throw error;
  }
  const verdict = await proof.judge(back);
  if (!verdict.proved)
    refuse(
      `output '${verdict.value}'`,
      `resized back it differs from the given model by ${verdict.error.toExponential(1)} of its scale`,
    );
}

/** Give inputs their types and forget what depends on them. */
function setTypes(graph: Graph, dims: (input: Value) => readonly Dim[]): void {
  for (const v of graph.inputs) {
    if (v.type?.kind === 'tensor' && !v.constant) v.type = { ...v.type, shape: dims(v) };
  }
  for (const node of graph.nodes)
    for (const y of node.outputs) if (y && y.type?.kind === 'tensor') y.type = undefined;
}

/** Declare the new shapes of inputs and outputs. */
async function declare(model: Model, plan: Plan): Promise<void> {
  const declared = new Map(model.graph.outputs.map((v) => [v, v.type]));
  setTypes(model.graph, (v) => plan.get(v.name) ?? shapeKnown(v) ?? []);
  try {
    await inferTypes(model);
  } catch (error) {
    throw asRefusal(error, 'the graph');
  }
  for (const node of model.graph.nodes)
    for (const y of node.outputs) if (y && !declared.has(y)) y.type = undefined;
}

const isClosed = (shape: readonly Dim[] | undefined) =>
  shape?.every((d) => typeof d === 'number') ?? false;

/**
 * Every output must come out, and be a number, at the new shape. Where all inputs are fixed the sizes that came out are the
 * outputs' sizes.
 */
async function tryOut(model: Model, { seed = 0, threads = 1 }: Cost): Promise<void> {
  try {
    const session = await openSession(model, { threads, optimize: 'disabled' });
    const outputs = await session.run(randomInputs(model, seed));
    await session.release();
    const isFixed = model.graph.inputs.every((v) => v.constant || isClosed(shapeKnown(v)));
    for (const value of model.graph.outputs) {
      const { data, dims } = outputs[value.name]!;
      for (const x of data)
        if (Number.isNaN(Number(x))) refuse(`output '${value.name}'`, 'it is NaN at the new shape');
      if (isFixed && value.type?.kind === 'tensor' && !isClosed(value.type.shape))
        value.type = { ...value.type, shape: dims };
    }
  } catch (error) {
    throw asRefusal(error, 'at run time');
  }
}

function asRefusal(error: unknown, where: string): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'MODEL_CANNOT_RUN') return error;
  const { why } = error.facts as { why: string };
  return new ServiceError('INPUT_SHAPE_UNSUPPORTED', { where, why }, { cause: error });
}

/** `imgsz`, where the exporter noted the old height and width, notes the new ones. */
function updateMetadata(model: Model, inputs: Reshaped['inputs']): string[] {
  for (const { from, to } of Object.values(inputs)) {
    if (from.length !== 4 || model.metadata['imgsz'] !== `[${from[2]}, ${from[3]}]`) continue;
    model.metadata['imgsz'] = `[${to[2]}, ${to[3]}]`;
    return [`The metadata entry 'imgsz' now says ${model.metadata['imgsz']}.`];
  }
  return [];
}
