import type { ShownStage } from './events';
import { joined } from './events';

const SUFFIX: Record<string, string> = { one: 'st', two: 'nd', few: 'rd', other: 'th' };
const RULES = new Intl.PluralRules('en', { type: 'ordinal' });
export const ordinal = (n: number): string => `${n}${SUFFIX[RULES.select(n)]}`;

const after = (reason: string | null | undefined) => (reason ? `: ${reason.replace(/[.…\s]+$/, '')}` : '');

const WORDS: Record<ShownStage['stage'], (stage: ShownStage) => string> = {
  queued: ({ position }) => (position ? `Waiting, ${ordinal(position)} in line` : 'Waiting in line'),
  retrieving: () => 'Searching your files',
  prompt: ({ progress }) => (progress ? `Reading the prompt ${Math.round(progress * 100)} %` : 'Reading the prompt'),
  generating: () => 'Writing',
  retrying: ({ attempt, reason }) => `Trying again${attempt ? ` (${attempt})` : ''}${after(reason)}`,
  falling_back: ({ from, model_source, model, reason }) =>
    `${from || 'The model'} did not answer, asking ${joined(model_source ?? null, model ?? null) || 'another'} instead${after(reason)}`,
};

/** What a run is doing, in words without a full stop. A stage that a newer server may name is work too. */
export const stageWords = (stage: ShownStage): string => WORDS[stage.stage]?.(stage) ?? 'Working';

/** Waiting and what goes wrong are read out; a percentage that grows is not. */
export const isTold = (stage: ShownStage | null): boolean =>
  stage !== null && ['queued', 'retrying', 'falling_back'].includes(stage.stage);
