import { describe, expect, it } from 'vitest';
import { BlockSplitter } from '../src/markdown/blocks';

const ANSWER =
  '# T\n\nA **b** c [1].\n\n- x\n- y\n\n```py\na = 1\n\nb = 2\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n1. one\n2. two\n\nEnd.';
const raws = (splitter: BlockSplitter) => splitter.settled.map((block) => block.raw.trim());

describe('BlockSplitter', () => {
  it.each([1, 3, 7, 50])('gives the blocks of the whole text whatever the cuts (%i characters)', (step) => {
    const grown = new BlockSplitter();
    for (let end = step; end < ANSWER.length; end += step) grown.update(ANSWER.slice(0, end));
    grown.update(ANSWER, true);
    const once = new BlockSplitter();
    once.update(ANSWER, true);
    expect(raws(grown)).toEqual(raws(once));
    expect(raws(once)).toHaveLength(7);
  });

  it('keeps the last block open, and an open code block apart', () => {
    const splitter = new BlockSplitter();
    splitter.update('one\n\ntwo');
    expect([raws(splitter), splitter.tail?.raw]).toEqual([['one'], 'two']);
    splitter.update('one\n\ntwo\n\n```js\nlet a');
    expect(splitter.tail?.code).toEqual({ lang: 'js', text: 'let a' });
  });

  it('starts over on a text that is not a continuation', () => {
    const splitter = new BlockSplitter();
    splitter.update('one\n\ntwo\n\nthree');
    splitter.update('other', true);
    expect(raws(splitter)).toEqual(['other']);
  });
});
