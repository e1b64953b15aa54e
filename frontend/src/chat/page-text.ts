import type { PageText, TextRange } from '../api/document-types';
import { reflow, unitsOf } from '../text';

export interface Segment {
  text: string;
  /** Of the passage that was sent to the model. */
  sent: boolean;
  /** What the answer rests on. */
  marked: boolean;
}

interface Span {
  from: number;
  to: number;
}

const clipped = (page: PageText, { char_from, char_to }: TextRange): Span => {
  const unit = (offset: number) => Math.min(page.text.length, unitsOf(page.text, Math.max(0, offset - page.char_from)));
  return { from: unit(char_from), to: unit(char_to) };
};

/** Whether a range of the file's text begins behind this page: then a later page has it. */
export const isBehind = (page: PageText, range: TextRange): boolean => range.char_from >= page.char_from + [...page.text].length;

/**
 * A page for reading, cut where the passage that was sent and the highlights begin and end. Highlighted is the quote that the
 * check found; without one, what the server says of the passage, else the passage itself.
 */
export function segments(page: PageText, passage: TextRange, quote: TextRange | null = null): Segment[] {
  const sent = clipped(page, passage);
  const given = quote ? [clipped(page, quote)] : page.highlights?.map(({ from, to }) => ({ from: unitsOf(page.text, from), to: unitsOf(page.text, to) }));
  const marks = given?.length ? given : [sent];
  const edges = [0, page.text.length, sent.from, sent.to, ...marks.flatMap(({ from, to }) => [from, to])];
  const cuts = [...new Set(edges)].sort((a, b) => a - b);
  const text = reflow(page.text); // as long as it was: only line ends become spaces
  const inside = (at: number, { from, to }: Span) => at >= from && at < to;
  return cuts.slice(0, -1).map((from, index) => ({
    text: text.slice(from, cuts[index + 1]),
    sent: inside(from, sent),
    marked: marks.some((mark) => inside(from, mark)),
  }));
}
