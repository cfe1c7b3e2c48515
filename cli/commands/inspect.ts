import { basename } from 'node:path';

import { loadModel } from '../../workers/data/load-model.ts';
import { findBrokenScores } from '../../workers/evaluation/output-watch.ts';
import {
  type GroupInfo,
  inspectGroups,
  type PruningInfo,
} from '../../workers/inspection/groups.ts';
import {
  type FullModelInfo,
  inspectModel,
  quantizableTensors,
} from '../../workers/inspection/model.ts';
import type { Model } from '../../workers/onnx/graph.ts';
import { readModel } from '../../workers/onnx/read.ts';
import * as format from '../../workers/report/format.ts';
import { bindTask } from '../../workers/tasks/registry.ts';
import type { CliCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

export const inspect: CliCommand = {
  summary:
    'what a model is: params, MACs, bytes, ops, detected head, what can be quantized, trained and pruned',
  arguments: '<model>',
  options: (command) =>
    command.option(
      '--groups',
      'also every group of channels that can be cut: members, couplings, cost; and what cannot be cut, and why',
    ),
  async run([file], options, io) {
    const { bytes, id } = await loadModel(file!);
    const info = { ...(await inspectModel(bytes, basename(file!))), id: id as `sha256:${string}` };
    const model = readModel(bytes);
    if (info.quantized) info.warnings.push(...(await deadScores(bytes, model)));
    const groups = options['groups'] ? await inspectGroups(model) : undefined;
    const more = {
      quantizableTensors: quantizableTensors(model),
      ...(groups && { pruning: groups }),
    };
    io.result({ ...info, ...more }, [text(info), ...(groups ? groupsText(groups) : [])].join('\n'));
    return EXIT.done;
  },
};

/** Scores that are the same on any picture: quantizing can do that, and only running tells. */
async function deadScores(bytes: Uint8Array, model: Model): Promise<readonly string[]> {
  return findBrokenScores(bytes, bindTask(model));
}

function text(info: FullModelInfo): string {
  const port = (p: FullModelInfo['inputs'][number]) =>
    `${p.name} ${p.dtype}[${p.shape.map((d) => d ?? '?').join(', ')}]`;
  const ops = Object.entries(info.ops)
    .map(([op, n]) => `${n} ${op}`)
    .join(', ');
  const lines = [
    ['file', `${info.name}, ${format.bytes(info.bytes)}`],
    ['id', info.id],
    ['task', `${info.task}: ${info.head}`],
    [
      'classes',
      info.classes
        ? `${info.classes.length}: ${info.classes.slice(0, 8).join(', ')}${info.classes.length > 8 ? ' …' : ''}`
        : 'none named',
    ],
    ['inputs', info.inputs.map(port).join('; ')],
    ['outputs', info.outputs.map(port).join('; ')],
    ['parameters', format.count(info.params)],
    ['MACs', info.macs === null ? 'unknown: the input has dynamic axes' : format.count(info.macs)],
    ['opset', `${info.opset} (IR ${info.irVersion}, ${info.producer || 'unnamed producer'})`],
    ['quantized', info.quantized ?? `no; ${info.quantizable} weights can be`],
    ['training', training(info)],
    ['pruning', pruning(info)],
    ['ops', ops],
    ...info.warnings.map((w) => ['warning', w]),
  ];
  return lines.map(([name, value]) => `${name!.padEnd(11)} ${value}`).join('\n');
}

function training({ training }: FullModelInfo): string {
  if (!training.trainable) return `no: ${training.why}`;
  return `yes; ${training.weights} tensors with ${format.count(training.elements)} numbers`;
}

function pruning({ pruning }: FullModelInfo): string {
  if ('why' in pruning) return `no: ${pruning.why}`;
  return `${format.count(pruning.channels)} channels in ${pruning.groups} groups; ${pruning.refused.length} layers cannot be cut`;
}

function groupsText(found: PruningInfo): string[] {
  if ('why' in found) return [];
  const refused = found.refused.map(({ tensor, node, op, reason }) => {
    return `\n${tensor}: cannot be cut\n  ${reason}${node ? ` (${op} '${node}')` : ''}`;
  });
  return [...found.groups.map(groupText), ...refused];
}

function groupText({ id, channels, perChannel, why, tensors }: GroupInfo): string {
  const cost = `${format.count(perChannel.params)} params and ${format.count(perChannel.macs)} MACs each`;
  const members = tensors.map(({ name, axis }) => `${name}:${axis}`).join(', ');
  return [
    `\n${id}: ${channels} channels, ${cost}`,
    ...why.map((w) => `  ${w}`),
    `  cut: ${members}`,
  ].join('\n');
}
