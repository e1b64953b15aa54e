import { beforeEach, describe, expect, it } from 'vitest';
import { chipsOf, EVERYWHERE, type Scope, scopeBody, toggled, toggledTag } from '../src/chat/scope';
import { Scopes } from '../src/stores/scopes.svelte';

const scope = (change: Partial<Scope>): Scope => ({ ...EVERYWHERE, ...change });
const a = { id: '1', name: 'a.pdf' };
const b = { id: '2', name: 'b.pdf' };

describe('where a question looks', () => {
  it.each([
    [{}, {}],
    [{ use: false, strict: true, where: 'files', files: [a] }, { use_rag: false }],
    [{ where: 'files', files: [a, b], collections: [b] }, { file_ids: ['1', '2'] }],
    [{ where: 'files' }, {}],
    [{ where: 'collections', collections: [b], strict: true }, { collection_ids: ['2'], strict: true }],
    [{ tags: { grade: ['5', '6'] } }, { tags: { grade: ['5', '6'] } }],
  ] as [Partial<Scope>, object][])('%o', (change, body) => {
    expect(scopeBody(scope(change))).toEqual(body);
  });

  it('has a chip for all that narrows it, and each can be taken away', () => {
    const all = scope({ where: 'files', files: [a, b], tags: { grade: ['5', '6'], subject: ['maths'] }, strict: true });
    const chips = chipsOf(all);
    expect(chips.map(({ label }) => label)).toEqual(['a.pdf', 'b.pdf', 'grade: 5', 'grade: 6', 'subject: maths', 'Only from documents']);
    let left = all;
    while (chipsOf(left).length) left = { ...left, ...chipsOf(left)[0]!.without };
    expect(left).toEqual(EVERYWHERE);
  });

  it('toggles', () => {
    expect([toggled([a], a), toggled([a], b)]).toEqual([[], [a, b]]);
    expect(toggledTag({ grade: ['5'] }, 'grade', '5')).toEqual({});
  });
});

describe('what a tab remembers', () => {
  beforeEach(() => sessionStorage.clear());

  it('is kept for each conversation, over a reload, and moves with a new chat', () => {
    const scopes = new Scopes();
    scopes.set(null, { strict: true });
    scopes.settle('c1');
    scopes.set('c2', { use: false });
    const later = new Scopes();
    expect([later.of('c1').strict, later.of(null), later.of('c2').use]).toEqual([true, EVERYWHERE, false]);
    later.forget();
    expect(new Scopes().of('c1')).toEqual(EVERYWHERE);
  });
});
