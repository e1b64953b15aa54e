/** What is being typed, kept over a reload of this tab. */

const key = (conversationId: string | null) => `draft:${conversationId ?? 'new'}`;

export function draftOf(conversationId: string | null): string {
  try {
    return sessionStorage.getItem(key(conversationId)) ?? '';
  } catch {
    return '';
  }
}

export function keepDraft(conversationId: string | null, text: string): void {
  try {
    if (text) sessionStorage.setItem(key(conversationId), text);
    else sessionStorage.removeItem(key(conversationId));
  } catch {
    // Storage is switched off or full: the draft lives as long as the page.
  }
}

/** A new chat got its id. */
export function moveDraft(from: string | null, to: string): void {
  keepDraft(to, draftOf(from));
  keepDraft(from, '');
}
