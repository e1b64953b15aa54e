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
