/** @file Scores confirmed by the loss itself: what a first-order score says of a whole cut need not be so. */

import type { Model } from '../onnx/graph.ts';
import { chooseChannels, type Goal } from './choose.ts';
import type { Group } from './coupling/groups.ts';
import { maskedLosses } from './masked-loss.ts';
import { others } from './others.ts';
import type { PruneContext, PruneSettings } from './settings.ts';
import type { Valued } from './value-groups.ts';

/** Calibration images that every group is measured on. */
const IMAGES = 8;

/**
 * What the search would take is masked group by group, and the group's scores are multiplied by how much more (or less) the loss
 * rises than the scores of what went say, in proportion to all groups:
 *
 *     factor = (rise + m) / (predicted + m)        predicted = Σ scores · Σ rises / Σ of all scores that would go, m its mean
 *
 * m keeps what is measured on few images from deciding where little is at stake. Groups that would stay whole keep their scores.
 */
export async function confirmScores(
  model: Model,
  valued: Valued,
  goal: Goal,
  settings: PruneSettings,
  ctx: PruneContext,
  sizeOf?: (group: Group) => number,
): Promise<Valued> {
  const { groups, gradients } = valued;
  if (gradients === undefined) return valued;
  const kept = chooseChannels(model, valued, goal, settings, ctx.fileBytes, sizeOf);
  const cases = groups.flatMap((group) => {
    const left = kept.get(group.id);
    return left ? [{ group, channels: others(group.size, left) }] : [];
  });
  const named = cases.map(({ group }) => group);
  const [whole, ...losses] = await maskedLosses(
    model,
    named,
    [[], ...cases.map((one) => [one])],
    gradients,
    {
      ...ctx,
      images: IMAGES,
      progress: (done) => ctx.progress(done, 'confirming by the loss'),
    },
  );
  const rises = losses.map((loss) => Math.max(0, loss - whole!));
  const factors = factorsOf(
    rises,
    cases.map((one) => scoreOf(one, valued)),
  );
  const byGroup = new Map(named.map((group, i) => [group, factors[i]!]));
  const scores = groups.map((group, i) =>
    valued.scores[i]!.map((score) => score * (byGroup.get(group) ?? 1)),
  );
  return { ...valued, scores };
}

interface Gone {
  readonly group: Group;
  readonly channels: readonly number[];
}

const scoreOf = ({ group, channels }: Gone, { groups, scores }: Valued): number => {
  const own = scores[groups.indexOf(group)]!;
  return channels.reduce((sum, c) => sum + own[c]!, 0);
};

/** 1 for every group where nothing rises, or nothing was said to. */
export function factorsOf(rises: readonly number[], scores: readonly number[]): number[] {
  const [risen, said] = [sum(rises), sum(scores)];
  if (!(risen > 0 && said > 0)) return rises.map(() => 1);
  const mean = risen / rises.length;
  return rises.map((rise, i) => (rise + mean) / ((scores[i]! * risen) / said + mean));
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
