import { EVERYWHERE, type Scope } from '../chat/scope';

const key = (conversationId: string | null) => `scope:${conversationId ?? 'new'}`;

/** Where each conversation looks things up; kept over a reload of this tab. */
export class Scopes {
  #all = $state.raw<Readonly<Record<string, Scope>>>({});

  of(conversationId: string | null): Scope {
    return this.#all[key(conversationId)] ?? stored(key(conversationId));
  }

  set(conversationId: string | null, change: Partial<Scope>): void {
    const name = key(conversationId);
    const scope = { ...this.of(conversationId), ...change };
    this.#all = { ...this.#all, [name]: scope };
    keep(name, scope);
  }

  /** A new chat got its id: what was chosen for it stays with it, and the next new chat starts afresh. */
  settle(conversationId: string): void {
    this.set(conversationId, this.of(null));
    this.#all = { ...this.#all, [key(null)]: EVERYWHERE };
    keep(key(null), EVERYWHERE);
  }

  /** Somebody else signed in on this tab: what they may not know of is forgotten. */
  forget(): void {
    try {
      const names = Object.keys(sessionStorage).filter((name) => name.startsWith('scope:'));
      names.forEach((name) => sessionStorage.removeItem(name));
    } catch {
      // Nothing was kept.
    }
    this.#all = {};
  }
}

function stored(name: string): Scope {
  try {
    return { ...EVERYWHERE, ...(JSON.parse(sessionStorage.getItem(name) ?? '{}') as Partial<Scope>) };
  } catch {
    return EVERYWHERE;
  }
}

function keep(name: string, scope: Scope): void {
  try {
    if (scope === EVERYWHERE) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(scope));
  } catch {
    // Storage is switched off or full: the choice lives as long as the page.
  }
}
