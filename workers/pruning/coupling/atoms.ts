/**
 * @file Atoms: the smallest things that a cut can remove.
 *
 * Every place along every axis of every tensor is named by an atom. Places of the same atom stay or go together.
 * An atom may be a pair of two others (a reshaped axis: place 5 of 12 is row 1 and column 1 of 3 × 4): it goes when
 * either of them goes. What is left at the end are leaves: union-find classes that are no pairs.
 */

import type { Node } from '../../onnx/graph.ts';

export type Atom = number;

/** The atom of each place along one axis, in order. */
export type Axis = readonly Atom[];

/** Why an atom must stay. */
export interface Cause {
  readonly reason: string;
  /** Node that needs it, or that ties it to something that stays. */
  readonly node: Node | undefined;
  /** The axis runs over positions: another cause says more. */
  readonly positions?: true;
}

/** The atom of places that never go. */
export const FIXED: Atom = 0;

/** Of pairs, and of what stays. */
const NO_FAMILY = 0;

export class Atoms {
  readonly #parent: Atom[] = [FIXED];
  /** Of roots: the two atoms that a pair consists of. */
  readonly #parts: (readonly [Atom, Atom] | undefined)[] = [undefined];
  readonly #cause: (Cause | undefined)[] = [
    { reason: 'it runs over positions, not over channels', node: undefined, positions: true },
  ];
  /** Atoms made together, and how many: the channels of one tensor. */
  readonly #family: number[] = [NO_FAMILY];
  readonly #familySize: number[] = [1];

  /** Answers of `leaves`, until something changes. */
  readonly #leaves = new Map<Atom, readonly Atom[]>();
  /** Pairs by what they consist of: equal ones are one atom. */
  readonly #pairs = new Map<number, Atom>();

  #make(family: number, parts?: readonly [Atom, Atom]): Atom {
    const atom = this.#parent.length;
    this.#parent.push(atom);
    this.#parts.push(parts);
    this.#cause.push(undefined);
    this.#family.push(family);
    return atom;
  }

  /** n new leaves. */
  fresh(n: number): Axis {
    const family = this.#familySize.push(n) - 1;
    return Array.from({ length: n }, () => this.#make(family));
  }

  /** The atom that goes when `a` or `b` goes. */
  pair(a: Atom, b: Atom): Atom {
    const [x, y] = [this.find(a), this.find(b)];
    if (x === FIXED) return y;
    if (y === FIXED || x === y) return x;
    const key = x * 2 ** 26 + y;
    const known = this.#pairs.get(key) ?? this.#make(NO_FAMILY, [x, y]);
    this.#pairs.set(key, known);
    return known;
  }

  find(atom: Atom): Atom {
    let root = atom;
    while (this.#parent[root] !== root) root = this.#parent[root]!;
    for (let a = atom; a !== root; ) {
      const next = this.#parent[a]!;
      this.#parent[a] = root;
      a = next;
    }
    return root;
  }

  /** Whether the atom and every atom of its family are among `row`. */
  coversFamily(row: Axis): boolean {
    const count = new Map<number, Set<Atom>>();
    for (const atom of row) {
      const root = this.find(atom);
      const family = this.#family[root]!;
      if (family === NO_FAMILY) continue;
      const seen = count.get(family) ?? new Set();
      count.set(family, seen.add(root));
    }
    return [...count].some(([family, seen]) => seen.size >= this.#familySize[family]!);
  }

  isBlocked(atom: Atom): boolean {
    const root = this.find(atom);
    const parts = this.#parts[root];
    return parts
      ? this.isBlocked(parts[0]) && this.isBlocked(parts[1])
      : this.#cause[root] !== undefined;
  }

  /** Let `atom` stay. A pair stays when both of its parts do. */
  block(atom: Atom, cause: Cause): void {
    const root = this.find(atom);
    const parts = this.#parts[root];
    if (parts) for (const part of parts) this.block(part, cause);
    else if (this.#cause[root] === undefined) {
      this.#cause[root] = cause;
      this.#leaves.clear();
    }
  }

  /** Why leaves under `atom` must stay, each cause once; that they are positions says least and comes last. */
  causes(atom: Atom): Cause[] {
    const found = new Set<Cause>();
    this.#collectCauses(atom, found);
    return [...found].sort((a, b) => Number(a.positions ?? false) - Number(b.positions ?? false));
  }

  #collectCauses(atom: Atom, found: Set<Cause>): void {
    const root = this.find(atom);
    const parts = this.#parts[root];
    if (parts) for (const part of parts) this.#collectCauses(part, found);
    else if (this.#cause[root]) found.add(this.#cause[root]);
  }

  /** Leaves under `atom` that may go, each once. */
  leaves(atom: Atom): readonly Atom[] {
    const root = this.find(atom);
    const known = this.#leaves.get(root);
    if (known) return known;
    const found = new Set<Atom>();
    this.#collect(root, found);
    const leaves = [...found];
    this.#leaves.set(root, leaves);
    return leaves;
  }

  #collect(atom: Atom, found: Set<Atom>): void {
    const root = this.find(atom);
    const parts = this.#parts[root];
    if (parts) for (const part of parts) this.#collect(part, found);
    else if (this.#cause[root] === undefined) found.add(root);
  }

  /** Let `a` and `b` stay or go together, because of `node`. */
  union(a: Atom, b: Atom, node: Node): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x === y) return;
    const [p, q] = [this.#parts[x], this.#parts[y]];
    if (this.isBlocked(x)) this.block(y, tied(this.causes(x)[0]!, node));
    else if (this.isBlocked(y)) this.block(x, tied(this.causes(y)[0]!, node));
    else if (p && q) {
      this.union(p[0], q[0], node);
      this.union(p[1], q[1], node);
      this.#link(x, y);
    } else if (p) this.#joinPair(x, y, node);
    else if (q) this.#joinPair(y, x, node);
    else this.#link(Math.min(x, y), Math.max(x, y));
  }

  /** A leaf becomes a pair; one that is a part of that same pair cannot, and stays. */
  #joinPair(pair: Atom, leaf: Atom, node: Node): void {
    if (this.#contains(pair, leaf)) {
      this.block(pair, { reason: 'it is coupled to a part of itself', node });
      return;
    }
    this.#link(pair, leaf);
  }

  #contains(atom: Atom, leaf: Atom): boolean {
    const root = this.find(atom);
    if (root === leaf) return true;
    return this.#parts[root]?.some((part) => this.#contains(part, leaf)) ?? false;
  }

  #link(root: Atom, child: Atom): void {
    const [to, from] = [this.find(root), this.find(child)];
    if (to === from) return;
    this.#parent[from] = to;
    this.#leaves.clear();
  }
}

const tied = (cause: Cause, by: Node): Cause => ({ ...cause, node: cause.node ?? by });
