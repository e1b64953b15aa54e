import { expect, it } from 'vitest';
import { choiceFor, pathOf, renamed, siblingsOf } from '../src/chat/tree';

const node = (id: string, parentId: string | null) => ({ id, parentId });
// q1 has two answers; the second goes on with q2. q1 was also asked in other words: e1.
const NODES = [node('q1', null), node('a1', 'q1'), node('a2', 'q1'), node('q2', 'a2'), node('e1', null), node('b1', 'e1')];
const ids = (nodes: { id: string }[]) => nodes.map((n) => n.id);

it('shows the newest branch when nothing is chosen', () => expect(ids(pathOf(NODES, {}))).toEqual(['e1', 'b1']));

it('shows the branch of a leaf', () => {
  expect(ids(pathOf(NODES, choiceFor(NODES, 'q2')))).toEqual(['q1', 'a2', 'q2']);
  expect(ids(pathOf(NODES, choiceFor(NODES, 'a1')))).toEqual(['q1', 'a1']);
  expect(ids(pathOf(NODES, choiceFor(NODES, 'gone')))).toEqual(['e1', 'b1']);
});

it('finds versions', () => expect(ids(siblingsOf(NODES, NODES[2]!))).toEqual(['a1', 'a2']));

it('keeps a choice when ids are replaced', () => {
  expect(renamed({ '': 'local-1', 'local-1': 'local-2' }, 'local-1', 'q')).toEqual({ '': 'q', q: 'local-2' });
});

it('ends on a circle', () => expect(pathOf([node('a', 'b'), node('b', 'a')], {}).length).toBe(0));
