import { render } from '@testing-library/svelte';
import { expect, it } from 'vitest';
import StreamMarkdown from '../src/markdown/StreamMarkdown.svelte';

it('keeps settled blocks in the page while the last one grows', async () => {
  const { container, rerender } = render(StreamMarkdown, { text: 'first\n\nsec', streaming: true });
  const first = container.querySelector('.md > div')!;
  expect(first.textContent?.trim()).toBe('first');
  await rerender({ text: 'first\n\nsecond\n\nthi', streaming: true });
  expect(container.querySelector('.md > div')).toBe(first); // the same node: no flicker, selections live on
  await rerender({ text: 'first\n\nsecond\n\nthird', streaming: false });
  expect(container.querySelector('.md > div')).toBe(first);
  expect(container.textContent!.replace(/\s+/g, ' ').trim()).toBe('first second third');
});

it('grows an open code block by appended text', async () => {
  const { container, rerender } = render(StreamMarkdown, { text: '```py\na = 1', streaming: true });
  const leaf = container.querySelector('pre code')!.lastChild;
  await rerender({ text: '```py\na = 1\nb = 2', streaming: true });
  expect(container.querySelector('pre code')!.lastChild).toBe(leaf);
  expect(leaf!.textContent).toBe('a = 1\nb = 2');
});

it('opens the source of a chip', async () => {
  const opened: number[] = [];
  const { container } = render(StreamMarkdown, {
    text: 'as said [3]',
    sources: new Set([3]),
    oncite: (n: number) => opened.push(n),
  });
  container.querySelector<HTMLElement>('.cite')!.click();
  expect(opened).toEqual([3]);
});

it('marks what was not found in its source, in the sentence that says it, without touching other blocks', async () => {
  const text = 'Whales sing [1].\n\nThey fly [1], and 🐋 swim [2]. So [9].\n\nEnd';
  const sources = new Set([1, 2]);
  const { container, rerender } = render(StreamMarkdown, { text, streaming: true, sources });
  const blocks = [...container.querySelectorAll('.md > div')];
  const chips = () => [...container.querySelectorAll('.cite')].map((chip) => [chip.firstChild!.textContent!.trim(), chip.className]);
  expect(chips()).toEqual([['1', 'cite'], ['1', 'cite'], ['2', 'cite']]);
  const before = blocks[0]!.innerHTML;
  const citations = [
    { n: 1, supported: false, char_from: 18, char_to: 30, reason: 'the page says “swim”' },
    { n: 2, supported: true, char_from: 30, char_to: 46 },
    { n: 9, supported: false, char_from: 47, char_to: 54 },
  ];
  await rerender({ text, streaming: true, sources, citations });
  expect(blocks[0]!.innerHTML).toBe(before);
  expect(chips()).toEqual([['1', 'cite'], ['1', 'cite doubt'], ['2', 'cite'], ['9', 'cite unsent']]);
  const doubt = container.querySelector('.doubt')!;
  expect(doubt.textContent).toBe('1 not found in the source');
  expect(doubt.getAttribute('aria-label')).toBe('Source 1 not found in the source: the page says “swim”');
  expect(container.querySelector('.unsent')!.textContent).toBe('9 no such source');
});

it('opens the citation that was clicked, and says why it is in doubt', async () => {
  const opened: unknown[] = [];
  const citations = [{ n: 3, supported: false, reason: 'it says 12' }];
  const { container } = render(StreamMarkdown, {
    text: 'as said [3]',
    sources: new Set([3]),
    citations,
    oncite: (n: number, _chip: HTMLElement, at?: number) => opened.push([n, at]),
  });
  const chip = container.querySelector<HTMLElement>('.doubt')!;
  const tip = container.querySelector<HTMLElement>('.tip')!;
  const shown: string[] = [];
  tip.showPopover = () => shown.push(tip.textContent!);
  tip.hidePopover = () => shown.push('-');
  chip.dispatchEvent(new FocusEvent('focusin', { bubbles: true }));
  chip.dispatchEvent(new FocusEvent('focusout', { bubbles: true }));
  chip.click();
  expect(shown).toEqual(['it says 12', '-']);
  expect(opened).toEqual([[3, 0]]);
});
