import { marked } from './markdown';

export interface Block {
  id: number;
  raw: string;
  /** Where it begins in the text. */
  start: number;
}

export interface Tail {
  raw: string;
  start: number;
  /** An open code block: it grows by appended text. */
  code?: { lang: string; text: string };
}

const OVERLAP = 64;

/**
 * Splits a growing Markdown text in blocks. Blocks before the last never change again, so an update costs
 * what the last block costs, not what the answer does.
 */
export class BlockSplitter {
  settled: Block[] = [];
  tail: Tail | null = null;
  #offset = 0;
  #text = '';

  /** `text` should extend the text given before; if it does not, the splitter starts over. */
  update(text: string, done = false): void {
    const from = Math.max(0, this.#text.length - OVERLAP);
    if (text.length < this.#text.length || !text.startsWith(this.#text.slice(from), from)) this.#reset();
    this.#text = text;
    const tokens = marked.lexer(text.slice(this.#offset));
    let count = tokens.length;
    while (count > 0 && tokens[count - 1]!.type === 'space') count--;
    for (const token of tokens.slice(0, done ? count : Math.max(0, count - 1))) {
      if (token.type !== 'space') this.settled.push({ id: this.settled.length, raw: token.raw, start: this.#offset });
      this.#offset += token.raw.length;
    }
    const last = done ? undefined : tokens[count - 1];
    const start = this.#offset;
    if (!last) this.tail = null;
    else if (last.type === 'code' && /^(`{3,}|~{3,})/.test(last.raw)) {
      this.tail = { raw: last.raw, start, code: { lang: String(last.lang ?? ''), text: String(last.text) } };
    } else this.tail = { raw: last.raw, start };
  }

  #reset(): void {
    this.settled = [];
    this.tail = null;
    this.#offset = 0;
    this.#text = '';
  }
}
