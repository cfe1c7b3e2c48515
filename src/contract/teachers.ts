/** @file Teachers that the stages of a job name: wherever an option `teacher` stands. */

export interface NamedTeacher {
  /** `input`, the index of an earlier stage, or a model: a digest, for `lathe run` also a path. */
  readonly teacher: string | number;
  /** JSON Pointer of the option. */
  readonly pointer: string;
  /** The stage that names it. */
  readonly index: number;
}

/** @param stages of a job spec, as written or planned */
export function teachersIn(stages: readonly object[]): NamedTeacher[] {
  return stages.flatMap((stage, index) =>
    inside(stage, `/stages/${index}`).map((found) => ({ ...found, index })),
  );
}

function inside(value: unknown, at: string): Omit<NamedTeacher, 'index'>[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, x]) => {
    const pointer = `${at}/${key}`;
    const named = key === 'teacher' && (typeof x === 'string' || typeof x === 'number');
    return named ? [{ teacher: x as string | number, pointer }] : inside(x, pointer);
  });
}

/** Those that are models of their own: neither the job's input nor a stage's result. */
export const teacherModels = (stages: readonly object[]): NamedTeacher[] =>
  teachersIn(stages).filter(({ teacher }) => typeof teacher === 'string' && teacher !== 'input');

/** The stages with every teacher replaced by what `of` makes of it. */
export const withTeachers = <S extends object>(
  stages: readonly S[],
  of: (teacher: string) => string,
): S[] => stages.map((stage) => replaced(stage, of) as S);

function replaced(value: unknown, of: (teacher: string) => string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, x]) => [
      key,
      key === 'teacher' && typeof x === 'string' && x !== 'input' ? of(x) : replaced(x, of),
    ]),
  );
}
