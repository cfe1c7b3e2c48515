/** @file Channels that can be cut: which tensors they run through, and what cannot be cut and why. */

import { dtypeKnown, type Model, type Node, type Value } from '../../onnx/graph.ts';
import type { Atom } from './atoms.ts';
import { Coupling } from './couple.ts';
import { type Layer, layersOf } from './layers.ts';
import { OwnedPlaces, type OwnedSlice } from './places.ts';
import { whyCoupled } from './why.ts';

/** An axis of a tensor, and which of its places each channel of a group owns. */
export interface AxisSlice {
  /** Activation or constant. */
  readonly value: Value;
  readonly axis: number;
  /** Per channel its places along `axis`: usually one, several after Flatten, a shuffle, a grouped conv or a Concat. */
  readonly indices: readonly (readonly number[])[];
}

/** An activation that the channels run through. */
export interface ActivationSlice extends AxisSlice {
  /** Whether a node sums the channels away here (Conv, MatMul, ReduceSum): zeros here are what a cut amounts to. */
  readonly mixed: boolean;
}

export interface Producer {
  readonly node: Node;
  readonly weight: Value;
  readonly output: Value;
}

export interface Consumer {
  readonly node: Node;
  readonly weight: Value;
  readonly input: Value;
}

/** Channels that run through the same tensors, each of which can go by itself. */
export interface Group {
  /** Name of its first producer's output; with places where that output belongs to several groups. */
  readonly id: string;
  /** Number of channels. */
  readonly size: number;
  /** Conv, ConvTranspose, Gemm and MatMul whose output channels these are. */
  readonly producers: readonly Producer[];
  /** Those that take the channels in. */
  readonly consumers: readonly Consumer[];
  /** Every float activation that carries the channels, in graph order. */
  readonly activations: readonly ActivationSlice[];
  /** Constants that follow: weights' out axes, biases, norms, consumers' in axes. */
  readonly parameters: readonly AxisSlice[];
  /** Channels that must go together. */
  readonly unit: number;
  /** The couplings in words. */
  readonly why: readonly string[];
}

/** Output channels of a layer that cannot be cut. */
export interface Refused {
  readonly value: Value;
  readonly axis: number;
  /** Node that needs them all; undefined: the graph's interface does. */
  readonly node: Node | undefined;
  readonly reason: string;
}

/**
 * Find the groups of a model by its topology: names play no part.
 *
 * @param model constants stored, every value with a static shape (prepare.ts)
 * @throws SHAPE_UNKNOWN a value has no static shape
 */
export function findGroups(model: Model): {
  readonly groups: readonly Group[];
  readonly refused: readonly Refused[];
} {
  const coupling = new Coupling(model);
  return { groups: groupsOf(coupling).map(({ group }) => group), refused: refusedOf(coupling) };
}

/** A group, and the atom of each of its channels. */
export interface AtomGroup {
  readonly group: Group;
  readonly atoms: readonly Atom[];
}

/** Leaves that run through the same tensors, equally often, form a group where some layer makes them. */
export function groupsOf(coupling: Coupling): AtomGroup[] {
  const places = new OwnedPlaces(coupling);
  const layers = layersOf(coupling.model);
  const ids = new Set<string>();
  return places.alike().flatMap((atoms) => {
    const group = describe(coupling, places.slicesOf(atoms), layers, ids);
    return group ? [{ group, atoms }] : [];
  });
}

function describe(
  coupling: Coupling,
  slices: readonly OwnedSlice[],
  layers: readonly Layer[],
  ids: Set<string>,
): Group | undefined {
  const owns = (value: Value, axis: number) =>
    slices.find((s) => s.value === value && s.axis === axis && !s.slot.use);
  const producers = layers.filter((l) => owns(l.output, l.outputAxis));
  if (producers.length === 0) return undefined;
  const consumers = layers.filter((l) => owns(l.weight, l.weightInAxis));
  const first = owns(producers[0]!.output, producers[0]!.outputAxis)!;
  return {
    id: identify(first, ids),
    size: first.indices.length,
    producers: producers.map(({ node, weight, output }) => ({ node, weight, output })),
    consumers: consumers.map(({ node, weight, input }) => ({ node, weight, input })),
    activations: slices.filter(isFloatActivation).map(({ value, axis, indices }) => {
      return { value, axis, indices, mixed: coupling.isMixed(value, axis) };
    }),
    parameters: slices
      .filter(({ value }) => value.constant)
      .map(({ value, axis, indices }) => ({ value, axis, indices })),
    unit: 1,
    why: whyCoupled(coupling.model, slices, producers, consumers),
  };
}

const isFloatActivation = ({ value }: OwnedSlice): boolean =>
  !value.constant && /float/.test(dtypeKnown(value) ?? '');

/** The output's name, with the first channel's and the last channel's first place where other groups share it. */
function identify({ value, axis, slot, indices }: OwnedSlice, taken: Set<string>): string {
  const places = indices.flat();
  const whole =
    places.length === slot.axes[axis]!.length && indices.every((own) => own.length === 1);
  const stem = whole ? value.name : `${value.name}[${indices[0]![0]}…${indices.at(-1)![0]}]`;
  let id = stem;
  for (let i = 2; taken.has(id); i++) id = `${stem}#${i}`;
  taken.add(id);
  return id;
}

/** Output axes of layers of which no channel can go, with the causes of the first one. */
function refusedOf(coupling: Coupling): Refused[] {
  return layersOf(coupling.model).flatMap(({ output, outputAxis }) => {
    const axis = coupling.axesOf(output)[outputAxis] ?? [];
    if (axis.some((atom) => coupling.atoms.leaves(atom).length > 0)) return [];
    const causes = axis.length > 0 ? coupling.atoms.causes(axis[0]!) : [];
    if (causes.length === 0) return [];
    const reason = [...new Set(causes.map((cause) => cause.reason))].join('; ');
    const node = causes.find((cause) => cause.node)?.node;
    return [{ value: output, axis: outputAxis, node, reason }];
  });
}
