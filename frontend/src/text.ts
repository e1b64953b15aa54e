/** Words for numbers, dates and sizes. */

const DAY_MS = 86_400_000;

export function dayGroup(iso: string, now = new Date()): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const at = new Date(iso).getTime();
  if (at >= midnight) return 'Today';
  if (at >= midnight - DAY_MS) return 'Yesterday';
  if (at >= midnight - 7 * DAY_MS) return 'Last 7 days';
  if (at >= midnight - 30 * DAY_MS) return 'Last 30 days';
  return 'Older';
}

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const pages = (from: number, to: number) => (from === to ? `page ${from}` : `pages ${from}–${to}`);

/** Where a passage is: what its first page is called, or its pages. */
export const place = (at: { page_from: number; page_to: number; page_label?: string | null }) =>
  at.page_label || pages(at.page_from, at.page_to);

export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** An error of the API as a sentence of its own: a capital first, a full stop last. */
export const sentence = (words: string) => {
  const isWord = /^\p{Ll}+(?=[\s,.:;!?]|$)(?!:\/)/u.test(words); // not a file, an address or a name with digits
  return (isWord ? words.charAt(0).toUpperCase() + words.slice(1) : words) + (/[.!?…]$/.test(words) ? '' : '.');
};

const ITEM = /^\s*([-*•–]|\(?\d{1,3}[.)]|[A-Z][.)])\s/;

/** A passage for reading: lines that a page's width has cut are joined, short lines and lists stay as they are. */
export function reflow(text: string): string {
  const lines = text.split('\n');
  const width = Math.max(...lines.map((line) => line.length));
  let joined = '';
  lines.forEach((line, index) => {
    const before = lines[index - 1] ?? '';
    const cut = before.length >= 0.6 * width && width < 200 && line.trim() !== '' && !ITEM.test(line);
    joined += index === 0 ? line : (cut ? ' ' : '\n') + line;
  });
  return joined;
}

const HIGH = /[\ud800-\udbff]/;

/** The API's offsets count code points, those of a string here UTF-16 units: most texts have no difference. */
export function unitsOf(text: string, points: number): number {
  if (!HIGH.test(text)) return points;
  let at = 0;
  for (let left = points; left > 0 && at < text.length; left--) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

export const pointsOf = (text: string, units: number): number =>
  HIGH.test(text) ? [...text.slice(0, units)].length : units;
