import DOMPurify from 'dompurify';
import { Marked } from 'marked';

/** Colours code; languages arrive with it, in a chunk of their own. */
export type Highlight = (code: string, lang: string) => string | undefined;

let highlight: Highlight | undefined;
export const loadHighlighter = async (): Promise<Highlight> => (highlight ??= (await import('./highlight')).highlight);

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string) => text.replace(/[&<>"]/g, (c) => ESCAPES[c]!);

/** Numbers in brackets that are no link, and the punctuation that should stay on their line: `[1]`, `[1, 3].` */
const CITATION = /^\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\(|:\s)([.,;:!?)]*)/;
const CITATION_START = /\[\d{1,3}(?:\s*,\s*\d{1,3})*\](?!\(|:\s)/;

/** What a link may lead to: never a script, never a place on this server. */
const ELSEWHERE = /^(https?:\/\/|mailto:)/i;

let cited: ReadonlySet<number> = new Set();

const chip = (n: number) =>
  `<button type="button" class="cite" data-cite="${n}" aria-label="Source ${n}" aria-haspopup="dialog">${n}</button>`;

function codeBlock(text: string, lang: string): string {
  const name = lang.trim().split(/\s/)[0] ?? '';
  const code = (highlight && name && highlight(text, name)) || escape(text);
  return (
    `<div class="code"><div class="code-bar"><span>${escape(name)}</span>` +
    `<button type="button" data-copy-code aria-label="Copy code">Copy</button></div>` +
    `<pre tabindex="0"><code>${code}\n</code></pre></div>`
  );
}

export const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => escape(text), // a model's raw HTML is shown, never run
    image: ({ text }) => escape(text ? `[image: ${text}]` : '[image]'), // a remote image would leak the conversation
    link({ href, tokens }) {
      const words = this.parser.parseInline(tokens);
      return ELSEWHERE.test(href) ? `<a href="${escape(href)}" target="_blank" rel="noreferrer noopener">${words}</a>` : words;
    },
    code: ({ text, lang }) => codeBlock(text, lang ?? ''),
    heading({ tokens, depth }) {
      // Below the page's own headings, and of one level: models begin at any depth and skip some.
      return `<h3 class="d${depth}">${this.parser.parseInline(tokens)}</h3>\n`;
    },
    table(token) {
      const cell = (c: (typeof token.header)[number], tag: string) =>
        `<${tag}${c.align ? ` align="${c.align}"` : ''}>${this.parser.parseInline(c.tokens)}</${tag}>`;
      const row = (cells: typeof token.header, tag: string) => `<tr>${cells.map((c) => cell(c, tag)).join('')}</tr>`;
      const body = token.rows.map((r) => row(r, 'td')).join('');
      return `<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>`;
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  extensions: [
    {
      name: 'citation',
      level: 'inline',
      start: (text) => CITATION_START.exec(text)?.index,
      tokenizer(text) {
        const match = CITATION.exec(text);
        if (!match) return undefined;
        return { type: 'citation', raw: match[0], numbers: match[1]!.split(',').map(Number), after: match[2] };
      },
      renderer(token) {
        const known = (token.numbers as number[]).filter((n) => cited.has(n));
        if (!known.length) return escape(token.raw);
        return `<span class="cites">${known.map(chip).join('')}${escape(token.after as string)}</span>`;
      },
    },
  ],
});

const RULES = {
  FORBID_TAGS: ['style', 'form', 'input', 'select', 'textarea', 'img', 'video', 'audio', 'iframe', 'svg', 'math'],
  FORBID_ATTR: ['style', 'id', 'name'],
  ADD_ATTR: ['target'],
};

/**
 * Safe HTML of a Markdown text: the renderer makes no tag or link that could do harm, and the sanitiser would take
 * it away. `sources` are the numbers that become citation chips; others stay text.
 */
export function toHtml(text: string, sources: ReadonlySet<number> = new Set()): string {
  cited = sources;
  return DOMPurify.sanitize(marked.parse(text) as string, RULES);
}
