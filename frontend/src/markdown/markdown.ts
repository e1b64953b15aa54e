import DOMPurify from 'dompurify';
import { Marked } from 'marked';
import { type Mark, MARKER_HERE, MARKER_START, type Marker, numbersOf } from './marks';

/** Colours code; languages arrive with it, in a chunk of their own. */
export type Highlight = (code: string, lang: string) => string | undefined;

let highlight: Highlight | undefined;
export const loadHighlighter = async (): Promise<Highlight> => (highlight ??= (await import('./highlight')).highlight);

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string) => text.replace(/[&<>"]/g, (c) => ESCAPES[c]!);

/** What a link may lead to: never a script, never a place on this server. */
const ELSEWHERE = /^(https?:\/\/|mailto:)/i;

let cited: ReadonlySet<number> = new Set();
let verdicts: Marker[] = [];

/** What was found about a marker. Those in code are no markers, and are passed over. */
function marksOf(raw: string): (Mark | null)[] {
  const at = verdicts.findIndex((marker) => marker.raw === raw);
  if (at < 0) return [];
  const { marks } = verdicts[at]!;
  verdicts = verdicts.slice(at + 1);
  return marks;
}

/** The icon of a doubt is the style sheet's: pictures in an answer are taken away. */
function chip(n: number, mark: Mark | null | undefined): string {
  if (mark?.state === 'unsent') return `<span class="cite unsent">${n} <span class="why">no such source</span></span>`;
  const at = mark ? ` data-at="${mark.at}"` : '';
  if (mark?.state !== 'doubt') {
    return `<button type="button" class="cite" data-cite="${n}"${at} aria-label="Source ${n}" aria-haspopup="dialog">${n}</button>`;
  }
  const why = escape(mark.reason);
  return (
    `<button type="button" class="cite doubt" data-cite="${n}"${at} data-why="${why}" aria-haspopup="dialog" ` +
    `aria-label="Source ${n} not found in the source${why && `: ${why}`}">${n} <span class="why">not found in the source</span></button>`
  );
}

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
      const head = row(token.header, 'th'); // before the rows: markers are counted in the order of the text
      const body = token.rows.map((r) => row(r, 'td')).join('');
      return `<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead>${head}</thead><tbody>${body}</tbody></table></div>`;
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  extensions: [
    {
      name: 'citation',
      level: 'inline',
      start: (text) => MARKER_START.exec(text)?.index,
      tokenizer(text) {
        const match = MARKER_HERE.exec(text);
        if (!match) return undefined;
        return { type: 'citation', raw: match[0], numbers: numbersOf(match[1]!), after: match[2] };
      },
      renderer(token) {
        const marks = marksOf(token.raw);
        const chips = (token.numbers as number[]).map((n, i) => (cited.has(n) || marks[i]?.state === 'unsent' ? chip(n, marks[i]) : ''));
        if (!chips.some(Boolean)) return escape(token.raw);
        return `<span class="cites">${chips.join('')}${escape(token.after as string)}</span>`;
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
 * it away. `sources` are the numbers that become citation chips, `markers` what was found about them; other numbers stay text.
 */
export function toHtml(text: string, sources: ReadonlySet<number> = new Set(), markers: readonly Marker[] = []): string {
  cited = sources;
  verdicts = [...markers];
  return DOMPurify.sanitize(marked.parse(text) as string, RULES);
}
