import type { Citation } from '../api/document-types';
import { pointsOf } from '../text';

/** What is shown at one number of a citation marker. `at`: which verdict it is, for the panel. */
export interface Mark {
  state: 'sound' | 'doubt' | 'unsent';
  reason: string;
  at: number;
}

export interface Marker {
  /** As it stands in the text, with the punctuation after it. */
  raw: string;
  marks: (Mark | null)[];
}

export type Marking = (raw: string, start: number) => Marker[];

/** Numbers in brackets that are no link, as models write them, and the punctuation that should stay on their line. */
const NUMBERS = String.raw`\d{1,3}(?:[ \t]*(?:[,;、，–—-]|and\b|und\b|&)[ \t]*\d{1,3})*`;
const MARKER = String.raw`(?<!\\)[\[【［][ \t]*(${NUMBERS})[ \t]*(?:†[^\]】］\n]{0,60})?[\]】］](?!\(|:\s)([.,;:!?)]*)`;
export const MARKER_HERE = new RegExp(`^${MARKER}`);
export const MARKER_START = new RegExp(MARKER);
const RANGE = /(\d+)\s*[–—-]\s*(\d+)/g;
const MAX_RANGE = 20;

/** `1, 3-5` as 1, 3, 4, 5. A range that is too long is not meant as one. */
export function numbersOf(list: string): number[] {
  const whole = list.replace(RANGE, (_, from: string, to: string) => {
    const length = Number(to) - Number(from) + 1;
    return length > 0 && length <= MAX_RANGE ? Array.from({ length }, (_, index) => Number(from) + index).join(',') : '';
  });
  return [...new Set((whole.match(/\d+/g) ?? []).map(Number))];
}

/** Code shows its brackets as they are. */
const CODE = /(`{3,}|~{3,})[^]*?(?:\1|$)|(`+)(?!`)[^]*?[^`]\2(?!`)/g;
/** A marker may stand behind the full stop of the sentence that it belongs to. */
const SLACK = 3;

/** The verdict on number `n` at a place of the answer, as an index; -1: there is none yet. */
function verdictAt(citations: readonly Citation[], n: number, place: number): number {
  let best = -1;
  let near = SLACK + 1;
  citations.forEach((citation, index) => {
    if (citation.n !== n) return;
    const { char_from: from = 0, char_to: to = Infinity } = citation.mark ?? citation;
    const away = Math.max(0, from - place, place - to); // 0: in its marker, or in its sentence where that is all that is known
    if (away >= near) return;
    near = away;
    best = index;
  });
  return best;
}

const NONE: Marker[] = [];

/** What was found about each marker of a block of `text`, in the order of the markers. */
export function markingOf(text: () => string, citations: readonly Citation[], sent: ReadonlySet<number>): Marking {
  if (!citations.length) return () => NONE;
  return (block, start) => {
    const bare = block.replace(CODE, (code) => ' '.repeat(code.length));
    return [...bare.matchAll(new RegExp(MARKER, 'g'))].map((found) => {
      const place = pointsOf(text(), start + found.index);
      const marks = numbersOf(found[1]!).map((n): Mark | null => {
        const at = verdictAt(citations, n, place);
        const verdict = citations[at];
        if (!verdict) return null;
        const state = verdict.supported ? 'sound' : sent.has(n) ? 'doubt' : 'unsent';
        return { state, reason: verdict.reason ?? '', at };
      });
      return { raw: found[0], marks };
    });
  };
}

/** What the citations of one source amount to: nothing, or what was not found. */
export function doubtOf(citations: readonly Citation[], n: number): string {
  const mine = citations.filter((citation) => citation.n === n);
  const bad = mine.filter((citation) => !citation.supported).length;
  if (!bad) return '';
  return bad === mine.length ? 'not found in the source' : `${bad} of ${mine.length} statements not found`;
}
