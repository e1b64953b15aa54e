import { describe, expect, it } from 'vitest';
import type { Citation, PageText } from '../src/api/document-types';
import { isBehind, segments } from '../src/chat/page-text';
import { doubtOf, markingOf } from '../src/markdown/marks';
import { toHtml } from '../src/markdown/markdown';
import { pointsOf, unitsOf } from '../src/text';

const SENT = new Set([1, 2, 3]);
const states = (text: string, citations: Citation[]) =>
  markingOf(() => text, citations, SENT)(text, 0).map(({ marks }) => marks.map((mark) => mark?.state ?? ''));

describe('verdicts and the markers that they are about', () => {
  it('belong to a sentence: the same number may be right in one and wrong in another', () => {
    const text = 'One [1]. Two [1]. Three [2, 1].';
    const citations = [
      { n: 1, supported: true, char_from: 0, char_to: 8 },
      { n: 1, supported: false, char_from: 9, char_to: 17 },
      { n: 2, supported: true, char_from: 18, char_to: 31 },
    ];
    expect(states(text, citations)).toEqual([['sound'], ['doubt'], ['sound', '']]);
  });

  it('belong to a marker where the server says which one', () => {
    const text = 'One says 5 [1] and the same says 6 [1].';
    const sentence = { n: 1, char_from: 0, char_to: 39 };
    const citations = [
      { ...sentence, supported: false, mark: { char_from: 35, char_to: 38 } },
      { ...sentence, supported: true, mark: { char_from: 11, char_to: 14 } },
    ];
    expect(states(text, citations)).toEqual([['sound'], ['doubt']]);
  });

  it('reach a marker behind the full stop, and no further', () => {
    const text = 'A whale sings. [1] Another day, another one. [1]';
    expect(states(text, [{ n: 1, supported: false, char_from: 0, char_to: 14 }])).toEqual([['doubt'], ['']]);
  });

  it('count code points, as the API does', () => {
    const text = `${'🐋'.repeat(12)} sing [1]. Then [1].`;
    expect(states(text, [{ n: 1, supported: false, char_from: 0, char_to: 21 }])).toEqual([['doubt'], ['']]);
    expect(states(text, [{ n: 1, supported: false, mark: { char_from: 28, char_to: 31 } }])).toEqual([[''], ['doubt']]);
  });

  it('tell a number that was never sent, wherever it stands', () => {
    expect(states('So [9] [2][9]', [{ n: 9, supported: false }])).toEqual([['unsent'], [''], ['unsent']]);
  });

  it.each([
    ['so [1, 3].', ['1', '3']],
    ['so [1-3] and 【2】', ['1', '2', '3', '2']],
    ['so [2; 3] [1 and 2]', ['2', '3', '1', '2']],
    ['so 【3†a.pdf】', ['3']],
    ['no: [1-300], \\[1], [1](http://a.example), `[1]`', []],
  ])('are written in many ways: %s', (text, chips) => {
    const node = document.createElement('div');
    node.innerHTML = toHtml(text, SENT);
    expect([...node.querySelectorAll('.cite')].map((chip) => chip.textContent)).toEqual(chips);
  });

  it('leave code alone, and so do the chips', () => {
    const text = 'In `a[1]` and\n\n```\n[1]\n```\n\nbut here [1].';
    const marking = markingOf(() => text, [{ n: 1, supported: false, char_from: 28 }], SENT);
    const node = document.createElement('div');
    node.innerHTML = toHtml(text, SENT, marking(text, 0));
    expect(marking(text, 0)).toHaveLength(1);
    expect([node.querySelectorAll('.cite').length, node.querySelectorAll('.doubt').length]).toEqual([1, 1]);
  });

  it('keep their order through a table, whose rows are made before its head', () => {
    const text = '| a [1] | b |\n|---|---|\n| c [1] | d [1] |\n';
    const citations = [{ n: 1, supported: false, char_from: 0, char_to: 12 }];
    const node = document.createElement('div');
    node.innerHTML = toHtml(text, SENT, markingOf(() => text, citations, SENT)(text, 0));
    expect([...node.querySelectorAll('.cite')].map((chip) => chip.className)).toEqual(['cite doubt', 'cite', 'cite']);
  });

  it('never become markup', () => {
    const node = document.createElement('div');
    const citations = [{ n: 1, supported: false, reason: '"><img src=x onerror=alert(1)>' }];
    node.innerHTML = toHtml('so [1]', SENT, markingOf(() => 'so [1]', citations, SENT)('so [1]', 0));
    expect(node.querySelector('img')).toBeNull();
    expect(node.querySelector<HTMLElement>('.doubt')!.dataset.why).toBe('"><img src=x onerror=alert(1)>');
  });

  it('are summed up for each source', () => {
    const citations = [
      { n: 1, supported: true },
      { n: 1, supported: false },
      { n: 2, supported: false },
    ];
    expect([1, 2, 3].map((n) => doubtOf(citations, n))).toEqual(['1 of 2 statements not found', 'not found in the source', '']);
  });
});

describe('a cited page', () => {
  const page = (text: string, more: Partial<PageText> = {}): PageText => ({
    file_id: 'f',
    file_name: 'a.pdf',
    page: 2,
    pages_total: 3,
    char_from: 100,
    text,
    ...more,
  });
  const marked = (found: ReturnType<typeof segments>) => found.filter((s) => s.marked).map((s) => s.text);

  it('shows the quote inside the passage that was sent', () => {
    const found = segments(page('before. The whale sings. after'), { char_from: 108, char_to: 124 }, { char_from: 112, char_to: 117 });
    expect(found.map(({ text, sent, marked }) => [text, sent, marked])).toEqual([
      ['before. ', false, false],
      ['The ', true, false],
      ['whale', true, true],
      [' sings.', true, false],
      [' after', false, false],
    ]);
  });

  it('takes the highlights of the server where there are some, in code points', () => {
    const highlights = [
      { from: 1, to: 3 },
      { from: 5, to: 6 },
    ];
    const passage = { char_from: 0, char_to: 1 };
    expect(marked(segments(page('🐋ab🐋cd', { highlights }), passage))).toEqual(['ab', 'd']);
    expect(marked(segments(page('🐋ab🐋cd', { highlights }), passage, { char_from: 103, char_to: 104 }))).toEqual(['🐋']);
  });

  it('shows the part of a passage that reaches over from another page, and nothing of one that does not', () => {
    const passage = { char_from: 90, char_to: 104 };
    expect(marked(segments(page('tail of it'), passage))).toEqual(['tail']);
    const other = { char_from: 10, char_to: 20 };
    expect(marked(segments(page('tail of it'), other))).toEqual([]);
    expect([isBehind(page('tail'), { char_from: 104, char_to: 110 }), isBehind(page('tail'), passage)]).toEqual([true, false]);
  });
});

it('converts offsets both ways', () => {
  expect([unitsOf('🐋ab', 2), pointsOf('🐋ab', 3), unitsOf('ab', 1), unitsOf('🐋', 9)]).toEqual([3, 2, 1, 2]);
});
