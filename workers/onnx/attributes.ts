/** @file Reading and making attributes of nodes. */

import type { Attribute, Graph, Node } from './graph.ts';
import type { Tensor } from './tensor.ts';

const value = <T extends Attribute['type']>(node: Node, name: string, type: T) => {
  const attribute = node.attributes[name];
  return attribute?.type === type ? (attribute as Extract<Attribute, { type: T }>) : undefined;
};

const plain = (x: number | bigint): number => Number(x);

export const intOf = (node: Node, name: string, fallback: number): number =>
  plain((value(node, name, 'int') as { value: number | bigint } | undefined)?.value ?? fallback);

export function intsOf(node: Node, name: string): number[] | undefined;
export function intsOf(node: Node, name: string, fallback: readonly number[]): number[];
export function intsOf(
  node: Node,
  name: string,
  fallback?: readonly number[],
): number[] | undefined {
  const found = value(node, name, 'ints') as { value: readonly (number | bigint)[] } | undefined;
  return found ? found.value.map(plain) : fallback && [...fallback];
}

export const floatOf = (node: Node, name: string, fallback: number): number =>
  (value(node, name, 'float') as { value: number } | undefined)?.value ?? fallback;

export function stringOf(node: Node, name: string, fallback: string): string {
  const found = (value(node, name, 'string') as { value: string | Uint8Array } | undefined)?.value;
  return typeof found === 'string' ? found : fallback;
}

export const tensorOf = (node: Node, name: string): Tensor | undefined =>
  (value(node, name, 'tensor') as { value: Tensor } | undefined)?.value;

/** Subgraphs of a node: the bodies of If, Loop and Scan. */
export function subgraphsOf(node: Node): readonly Graph[] {
  return Object.values(node.attributes).flatMap((a) =>
    a.type === 'graph' ? [a.value] : a.type === 'graphs' ? a.value : [],
  );
}

export const int = (value: number): Attribute => ({ type: 'int', value });
export const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });
export const float = (value: number): Attribute => ({ type: 'float', value });
export const string = (value: string): Attribute => ({ type: 'string', value });
